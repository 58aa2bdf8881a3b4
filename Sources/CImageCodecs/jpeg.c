#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jerror.h>
#include <jpeglib.h>

#include "CImageCodecs.h"
#include "limits.h"

/* Rows asked for at once; libjpeg gives a few of them. */
enum { ROWS = 16 };
/* Usual progressive files have about ten scans; each one walks over the whole picture. */
enum { MAX_SCANS = 100 };

typedef struct {
  struct jpeg_error_mgr base;
  jmp_buf escape;
  char *text;
  int status;
} failure;

static void fail(j_common_ptr info) {
  failure *f = (failure *)info->err;
  char message[JMSG_LENGTH_MAX];
  f->base.format_message(info, message);
  snprintf(f->text, 200, "%s", message);
  switch (f->base.msg_code) {
  case JERR_BAD_PRECISION:
  case JERR_SOF_UNSUPPORTED:
  case JERR_ARITH_NOTIMPL: f->status = CLEFT_CODEC_UNSUPPORTED; break;
  case JERR_OUT_OF_MEMORY: f->status = CLEFT_CODEC_MEMORY; break;
  default: f->status = CLEFT_CODEC_DAMAGED;
  }
  longjmp(f->escape, 1);
}

static void refuse(j_decompress_ptr info, int status, const char *text) {
  failure *f = (failure *)info->err;
  if (text) snprintf(f->text, 200, "%s", text);
  f->status = status;
  longjmp(f->escape, 1);
}

static void swallow(j_common_ptr info) { (void)info; }

/* libjpeg goes on after damage, with gray or shifted blocks; here damage ends the decoding. Warnings about
   versions and color tags leave the pixels alone. */
static void judge(j_common_ptr info, int level) {
  if (level >= 0) return;
  switch (info->err->msg_code) {
  case JWRN_ADOBE_XFORM:
  case JWRN_JFIF_MAJOR:
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 1005090
  case JWRN_BOGUS_ICC:
#endif
    info->err->num_warnings++;
    return;
  default: fail(info);
  }
}

static void watch(j_common_ptr info) {
  j_decompress_ptr reader = (j_decompress_ptr)info;
  if (reader->input_scan_number > MAX_SCANS) refuse(reader, CLEFT_CODEC_UNSUPPORTED, "more than 100 scans");
}

/* Each 8 x 8 block of the largest component takes at least one bit. */
static void check(j_decompress_ptr info, size_t count, int64_t max_pixels) {
  failure *f = (failure *)info->err;
  if (info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK || info->num_components == 4)
    refuse(info, CLEFT_CODEC_UNSUPPORTED, "CMYK color");
  if (info->num_components != 1 && info->num_components != 3)
    refuse(info, CLEFT_CODEC_UNSUPPORTED, "neither one nor three components");
  if (info->data_precision != 8) refuse(info, CLEFT_CODEC_UNSUPPORTED, "samples of more than 8 bits");
  if (info->arith_code) refuse(info, CLEFT_CODEC_UNSUPPORTED, "arithmetic coding");
  /* A component that is stored smaller needs fewer blocks: one bit for 8 x 8 of its own pixels. */
  double blocks = 0;
  for (int i = 0; i < info->num_components; i++) {
    const jpeg_component_info *c = info->comp_info + i;
    const double own = (double)c->width_in_blocks * c->height_in_blocks;
    if (own > blocks) blocks = own;
  }
  const double pixels = (double)info->image_width * info->image_height;
  const double capacity = blocks <= 8.0 * (double)count ? pixels : 512.0 * (double)count;
  const int status = cleft_size_status(info->image_width, info->image_height, max_pixels, count, capacity, f->text);
  if (status) refuse(info, status, NULL);
}

/* The Exif data is the first APP1 segment that says so, without its label; XMP lies in such segments too. */
static void keep_exif(j_decompress_ptr info, cleft_gray_image *image) {
  for (jpeg_saved_marker_ptr m = info->marker_list; m; m = m->next) {
    if (m->marker != JPEG_APP0 + 1 || m->data_length <= 6 || memcmp(m->data, "Exif\0", 5)) continue;
    image->exif = malloc(m->data_length - 6);
    if (!image->exif) refuse(info, CLEFT_CODEC_MEMORY, "out of memory");
    memcpy(image->exif, m->data + 6, m->data_length - 6);
    image->exif_count = m->data_length - 6;
    return;
  }
}

int cleft_jpeg_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error) {
  struct jpeg_decompress_struct info;
  struct jpeg_progress_mgr progress;
  failure f;
  memset(&info, 0, sizeof info);
  memset(&progress, 0, sizeof progress);
  memset(image, 0, sizeof *image);
  info.err = jpeg_std_error(&f.base);
  f.base.error_exit = fail;
  f.base.output_message = swallow;
  f.base.emit_message = judge;
  f.text = error;
  progress.progress_monitor = watch;
  if (setjmp(f.escape)) {
    jpeg_destroy_decompress(&info);
    free(image->pixels);
    free(image->exif);
    image->pixels = image->exif = NULL;
    return f.status;
  }
  jpeg_create_decompress(&info);
  info.progress = &progress;
  jpeg_mem_src(&info, bytes, count);
  jpeg_save_markers(&info, JPEG_APP0 + 1, 0xFFFF);
  jpeg_read_header(&info, TRUE);
  check(&info, count, max_pixels);
  keep_exif(&info, image);
  info.out_color_space = JCS_GRAYSCALE;
  jpeg_start_decompress(&info);
  const size_t width = info.output_width, height = info.output_height;
  image->pixels = malloc(width * height);
  if (!image->pixels) refuse(&info, CLEFT_CODEC_MEMORY, "out of memory");
  while (info.output_scanline < height) {
    JSAMPROW rows[ROWS];
    const size_t left = height - info.output_scanline;
    const JDIMENSION wanted = left < ROWS ? (JDIMENSION)left : ROWS;
    for (JDIMENSION i = 0; i < wanted; i++) rows[i] = image->pixels + (info.output_scanline + i) * width;
    jpeg_read_scanlines(&info, rows, wanted);
  }
  jpeg_finish_decompress(&info);
  jpeg_destroy_decompress(&info);
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  return CLEFT_CODEC_DONE;
}
