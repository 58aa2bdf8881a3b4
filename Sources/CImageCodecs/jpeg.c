#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "CImageCodecs.h"

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  char *text;
} failure;

static void fail(j_common_ptr info) {
  failure *f = (failure *)info->err;
  char message[JMSG_LENGTH_MAX];
  f->base.format_message(info, message);
  snprintf(f->text, 200, "%s", message);
  longjmp(f->escape, 1);
}

static void swallow(j_common_ptr info) { (void)info; }

int cleft_jpeg_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error) {
  struct jpeg_decompress_struct info;
  failure f;
  uint8_t *volatile pixels = NULL;
  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&f.base);
  f.base.error_exit = fail;
  f.base.output_message = swallow;
  f.text = error;
  if (setjmp(f.escape)) {
    jpeg_destroy_decompress(&info);
    free(pixels);
    return 1;
  }
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, bytes, count);
  jpeg_read_header(&info, TRUE);
  if (info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK) {
    snprintf(error, 200, "CMYK color");
    jpeg_destroy_decompress(&info);
    return 1;
  }
  if ((int64_t)info.image_width * info.image_height > max_pixels) {
    snprintf(error, 200, "%u x %u pixels, more than the limit of %lld", info.image_width, info.image_height,
             (long long)max_pixels);
    jpeg_destroy_decompress(&info);
    return 1;
  }
  info.out_color_space = JCS_GRAYSCALE;
  jpeg_start_decompress(&info);
  int32_t width = (int32_t)info.output_width, height = (int32_t)info.output_height;
  pixels = malloc((size_t)width * height);
  if (!pixels) {
    snprintf(error, 200, "out of memory");
    jpeg_destroy_decompress(&info);
    return 1;
  }
  while (info.output_scanline < info.output_height) {
    JSAMPROW row = pixels + (size_t)info.output_scanline * width;
    jpeg_read_scanlines(&info, &row, 1);
  }
  image->warnings = (int32_t)f.base.num_warnings;
  jpeg_finish_decompress(&info);
  if (image->warnings == 0) image->warnings = (int32_t)f.base.num_warnings;
  jpeg_destroy_decompress(&info);
  image->pixels = pixels;
  image->width = width;
  image->height = height;
  return 0;
}

int cleft_jpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int quality, uint8_t **bytes, size_t *count,
                      char *error) {
  struct jpeg_compress_struct info;
  failure f;
  unsigned char *buffer = NULL;
  unsigned long size = 0;
  memset(&info, 0, sizeof info);
  info.err = jpeg_std_error(&f.base);
  f.base.error_exit = fail;
  f.base.output_message = swallow;
  f.text = error;
  if (setjmp(f.escape)) {
    jpeg_destroy_compress(&info);
    return 1;
  }
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_width = (JDIMENSION)width;
  info.image_height = (JDIMENSION)height;
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = (JSAMPROW)(pixels + (size_t)info.next_scanline * width);
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  *bytes = buffer;
  *count = size;
  return 0;
}
