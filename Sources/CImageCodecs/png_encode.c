#include <stdlib.h>
#include <string.h>

#include "CImageCodecs.h"
#include "png_failure.h"

typedef struct {
  uint8_t *bytes;
  size_t count, capacity;
} sink;

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

int cleft_png_encode(const uint8_t *pixels, int32_t width, int32_t height, int channels, uint8_t **bytes, size_t *count,
                     char *error) {
  sink s = {NULL, 0, 0};
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, error, fail, swallow);
  png_infop info = png ? png_create_info_struct(png) : NULL;
  if (!info || setjmp(png_jmpbuf(png))) {
    png_destroy_write_struct(&png, &info);
    free(s.bytes);
    return CLEFT_CODEC_UNSUPPORTED;
  }
  png_set_write_fn(png, &s, give, flush);
  const int type = channels == 4   ? PNG_COLOR_TYPE_RGB_ALPHA
                   : channels == 3 ? PNG_COLOR_TYPE_RGB
                                   : PNG_COLOR_TYPE_GRAY;
  png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8, type, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  for (int32_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)(pixels + (size_t)y * width * channels));
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  *bytes = s.bytes;
  *count = s.count;
  return CLEFT_CODEC_DONE;
}
