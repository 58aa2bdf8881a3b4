#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "CImageCodecs.h"

typedef struct {
  const uint8_t *bytes;
  size_t count, position;
} source;

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
} sink;

static void fail(png_structp png, png_const_charp message) {
  snprintf((char *)png_get_error_ptr(png), 200, "%s", message);
  longjmp(png_jmpbuf(png), 1);
}

static void swallow(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void take(png_structp png, png_bytep out, size_t wanted) {
  source *s = png_get_io_ptr(png);
  if (wanted > s->count - s->position) png_error(png, "the file ends early");
  memcpy(out, s->bytes + s->position, wanted);
  s->position += wanted;
}

static void give(png_structp png, png_bytep in, size_t offered) {
  sink *s = png_get_io_ptr(png);
  if (s->count + offered > s->capacity) {
    size_t capacity = (s->count + offered) * 2;
    uint8_t *grown = realloc(s->bytes, capacity);
    if (!grown) png_error(png, "out of memory");
    s->bytes = grown;
    s->capacity = capacity;
  }
  memcpy(s->bytes + s->count, in, offered);
  s->count += offered;
}

static void flush(png_structp png) { (void)png; }

int cleft_png_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error) {
  uint8_t *volatile pixels = NULL;
  png_bytep *volatile rows = NULL;
  source s = {bytes, count, 0};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, error, fail, swallow);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_read_struct(&png, &info, NULL);
    free(pixels);
    free(rows);
    return 1;
  }
  png_set_read_fn(png, &s, take);
  png_read_info(png, info);
  png_uint_32 width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  if ((int64_t)width * height > max_pixels) {
    snprintf(error, 200, "%u x %u pixels, more than the limit of %lld", width, height, (long long)max_pixels);
    png_destroy_read_struct(&png, &info, NULL);
    return 1;
  }
  int type = png_get_color_type(png, info);
  if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(type & PNG_COLOR_MASK_COLOR)) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  if (type & PNG_COLOR_MASK_COLOR) png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != width) png_error(png, "cannot be made 8-bit gray");
  pixels = malloc((size_t)width * height);
  rows = malloc(sizeof(png_bytep) * height);
  if (!pixels || !rows) png_error(png, "out of memory");
  for (png_uint_32 y = 0; y < height; y++) rows[y] = pixels + (size_t)y * width;
  png_read_image(png, rows);
  png_read_end(png, NULL);
  png_destroy_read_struct(&png, &info, NULL);
  free(rows);
  image->pixels = pixels;
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  image->warnings = 0;
  return 0;
}

int cleft_png_encode(const uint8_t *pixels, int32_t width, int32_t height, int channels, uint8_t **bytes, size_t *count,
                     char *error) {
  sink s = {NULL, 0, 0};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, error, fail, swallow);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(s.bytes);
    return 1;
  }
  png_set_write_fn(png, &s, give, flush);
  png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int32_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)(pixels + (size_t)y * width * channels));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  *bytes = s.bytes;
  *count = s.count;
  return 0;
}
