#ifndef CLEFT_CIMAGECODECS_H
#define CLEFT_CIMAGECODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Functions return CLEFT_CODEC_DONE or why not; then `error` (capacity 200) says in a few words what was wrong. */
enum {
  CLEFT_CODEC_DONE = 0,
  CLEFT_CODEC_DAMAGED = 1,     /* truncated, or not what the format allows */
  CLEFT_CODEC_UNSUPPORTED = 2, /* whole, but of a kind that is not read */
  CLEFT_CODEC_TOO_LARGE = 3,   /* claims more pixels than allowed, or than so few bytes can hold */
  CLEFT_CODEC_MEMORY = 4
};

/* Pixels are 8-bit gray, row by row, top first, as stored (not turned). The caller frees both buffers with free(). */
typedef struct {
  uint8_t *pixels;
  int32_t width, height;
  uint8_t *exif; /* the TIFF structure of the Exif data, NULL if there is none */
  size_t exif_count;
} cleft_gray_image;

/* Baseline and progressive JPEG of 8 bits: the luma plane; red, green, blue by the weights of luma. */
int cleft_jpeg_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error);

/* PNG: 16 bits keep the high byte; color by libpng's gray weights 0.299, 0.587; alpha is dropped. */
int cleft_png_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error);

/* `bytes` is allocated; the caller frees it with free(). */
int cleft_jpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int quality, uint8_t **bytes, size_t *count,
                      char *error);
/* `channels` 1 (gray), 3 (red, green, blue) or 4 (alpha too), interleaved. */
int cleft_png_encode(const uint8_t *pixels, int32_t width, int32_t height, int channels, uint8_t **bytes, size_t *count,
                     char *error);

/* Lets malloc keep what is freed instead of giving it back to the system at once. */
void cleft_keep_freed_memory(void);

#ifdef __cplusplus
}
#endif
#endif
