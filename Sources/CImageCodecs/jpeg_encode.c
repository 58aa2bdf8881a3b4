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
    return CLEFT_CODEC_UNSUPPORTED;
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
  return CLEFT_CODEC_DONE;
}
