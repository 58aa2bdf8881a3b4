#ifndef CLEFT_CDICOM_H
#define CLEFT_CDICOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions return CLEFT_DICOM_DONE or why not; then `error` (capacity 200) says in a few words what was wrong. */
enum {
  CLEFT_DICOM_DONE = 0,
  CLEFT_DICOM_DAMAGED = 1,     /* truncated, or not what the format allows */
  CLEFT_DICOM_UNSUPPORTED = 2, /* whole, but of a kind that is not read */
  CLEFT_DICOM_TOO_LARGE = 3,   /* claims more pixels than allowed, or than so few bytes can hold */
  CLEFT_DICOM_MEMORY = 4
};

/* A table from `first` on; what lies outside takes the nearest entry. No `entries`: no table. */
typedef struct {
  const uint16_t *values;
  int32_t entries, first, bits;
} cleft_dicom_lut;

/* One gray frame as stored, and what the file says about showing it; nothing is applied.
   Exactly one of the first three pointers is set; all memory belongs to `owner`. */
typedef struct {
  const uint8_t *cells8;   /* width x height, BitsAllocated 8 */
  const uint16_t *cells16; /* width x height, BitsAllocated 16 */
  const uint8_t *jpeg;     /* an 8-bit gray JPEG stream of this size, not yet decoded */
  size_t jpeg_count;
  int32_t width, height;
  int32_t bits_allocated, bits_stored, high_bit, is_signed, is_monochrome1;
  int32_t has_rescale, has_window;
  double slope, intercept, window_center, window_width;
  char voi_function[20]; /* VOILUTFunction, empty if absent */
  cleft_dicom_lut modality, voi;
  void *owner;
} cleft_dicom_image;

/* Reads a file that lies in memory; the bytes must stay until cleft_dicom_free. */
int cleft_dicom_read(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_dicom_image *image, char *error);
void cleft_dicom_free(cleft_dicom_image *image);

/* Who is on a picture and how it was taken, as the header words it; empty where it says nothing. */
typedef struct {
  char sex[64], age[64], view[64]; /* PatientSex, PatientAge, ViewPosition */
} cleft_dicom_traits;

/* Reads the beginning of a file as far as the header's traits: the bytes need not go on behind them. */
int cleft_dicom_read_traits(const uint8_t *bytes, size_t count, cleft_dicom_traits *traits, char *error);

typedef struct {
  const char *patient_id, *sop_instance_uid, *study_instance_uid, *series_instance_uid, *sex, *age, *view;
  const char *window_center, *window_width, *rescale_slope, *rescale_intercept; /* NULL if absent */
  int32_t is_monochrome1;
  int32_t bits_stored; /* 8 ... 16 */
  int32_t is_rle;
  const uint8_t *jpeg; /* written instead of the values, as JPEG baseline; NULL if they are to be written */
  size_t jpeg_count;
} cleft_dicom_fields;

/* Writes a radiograph: explicit little endian, RLE or JPEG baseline. */
int cleft_dicom_write(const char *path, const uint16_t *values, int32_t width, int32_t height,
                      const cleft_dicom_fields *fields, char *error);

#ifdef __cplusplus
}
#endif
#endif
