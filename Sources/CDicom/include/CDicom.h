#ifndef CLEFT_CDICOM_H
#define CLEFT_CDICOM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions return 0 on success; otherwise `error` (capacity 200) says in a few words what was wrong. */

typedef struct {
  int32_t *values; /* stored pixel values of the first frame, no LUT applied; the caller frees them with free() */
  int32_t width, height, frames;
  int32_t is_monochrome1;
  int32_t bits_stored;
} cleft_dicom_image;

int cleft_dicom_read(const char *path, int64_t max_pixels, cleft_dicom_image *image, char *error);

typedef struct {
  const char *patient_id, *sop_instance_uid, *study_instance_uid, *series_instance_uid, *sex, *age, *view;
  int32_t is_monochrome1;
  int32_t bits_stored; /* 8 ... 16 */
} cleft_dicom_fields;

/* Writes an uncompressed explicit little-endian radiograph. */
int cleft_dicom_write(const char *path, const uint16_t *values, int32_t width, int32_t height,
                      const cleft_dicom_fields *fields, char *error);

#ifdef __cplusplus
}
#endif
#endif
