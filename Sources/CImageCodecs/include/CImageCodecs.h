#ifndef CLEFT_CIMAGECODECS_H
#define CLEFT_CIMAGECODECS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All functions return 0 on success; otherwise `error` (capacity 200) says in a few words what was wrong.
   Pixels are 8-bit gray, row by row, top first; the caller frees them with free(). */

typedef struct {
  uint8_t *pixels;
  int32_t width, height;
  int32_t warnings; /* what the decoder put up with, 0 for a clean file */
} cleft_gray_image;

/* JPEG: luma plane. PNG: 16 bit keeps the high byte; color by libpng's own gray weights; alpha dropped. */
int cleft_jpeg_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error);
int cleft_png_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error);

/* `bytes` is allocated; the caller frees it with free(). */
int cleft_jpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int quality, uint8_t **bytes, size_t *count,
                      char *error);
/* `channels` 1 or 3. */
int cleft_png_encode(const uint8_t *pixels, int32_t width, int32_t height, int channels, uint8_t **bytes, size_t *count,
                     char *error);

#ifdef __cplusplus
}
#endif
#endif
