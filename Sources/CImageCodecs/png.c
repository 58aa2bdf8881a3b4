#include <stdlib.h>
#include <string.h>

#include "CImageCodecs.h"
#include "limits.h"
#include "png_failure.h"

/* Deflate turns a byte into at most this many. */
#define DEFLATE_RATIO 1032.0

typedef struct {
  const uint8_t *bytes;
  size_t count, position;
} source;

/* What libpng cannot get is noted: its message alone does not tell a full memory from a bad file. */
static png_voidp allocate(png_structp png, png_alloc_size_t count) {
  void *memory = malloc(count);
  if (!memory) *(volatile int *)png_get_mem_ptr(png) = 1;
  return memory;
}

static void release(png_structp png, png_voidp memory) {
  (void)png;
  free(memory);
}

/* Left to itself libpng inflates and keeps up to a thousand texts of 8 MB. Read is only what decides about pixels:
   the Exif data, and what the gray weights depend on. */
static void ignore_extras(png_structp png) {
  static const png_byte needed[] = "cHRM\0eXIf\0gAMA\0iCCP\0sRGB";
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_AS_DEFAULT, needed, sizeof needed / 5);
  png_set_chunk_cache_max(png, 16);
  png_set_chunk_malloc_max(png, 8000000);
}

static void take(png_structp png, png_bytep out, size_t wanted) {
  source *s = png_get_io_ptr(png);
  if (wanted > s->count - s->position) png_error(png, "the file ends early");
  memcpy(out, s->bytes + s->position, wanted);
  s->position += wanted;
}

static int check(png_structp png, png_infop info, size_t count, int64_t max_pixels, char *error) {
  const double bits = (double)png_get_bit_depth(png, info) * png_get_channels(png, info);
  return cleft_size_status(png_get_image_width(png, info), png_get_image_height(png, info), max_pixels, count,
                           DEFLATE_RATIO * 8 / bits * (double)count, error);
}

/* The transformations of OpenCV's gray reading, in libpng's fixed order. */
static void want_gray(png_structp png, png_infop info) {
  const int type = png_get_color_type(png, info);
  if (png_get_bit_depth(png, info) == 16) png_set_strip_16(png);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
  if (!(type & PNG_COLOR_MASK_COLOR)) png_set_expand_gray_1_2_4_to_8(png);
  png_set_strip_alpha(png);
  if (type & PNG_COLOR_MASK_COLOR) png_set_rgb_to_gray(png, PNG_ERROR_ACTION_NONE, 0.299, 0.587);
}

/* The eXIf chunk may lie before or after the pixels. */
static int keep_exif(png_structp png, png_infop info, png_infop end, cleft_gray_image *image) {
#ifdef PNG_eXIf_SUPPORTED
  png_uint_32 count = 0;
  png_bytep bytes = NULL;
  if (!png_get_eXIf_1(png, info, &count, &bytes) && !png_get_eXIf_1(png, end, &count, &bytes)) return CLEFT_CODEC_DONE;
  if (!bytes || count == 0) return CLEFT_CODEC_DONE;
  image->exif = malloc(count);
  if (!image->exif) return CLEFT_CODEC_MEMORY;
  memcpy(image->exif, bytes, count);
  image->exif_count = count;
#else
  (void)png, (void)info, (void)end, (void)image;
#endif
  return CLEFT_CODEC_DONE;
}

int cleft_png_decode(const uint8_t *bytes, size_t count, int64_t max_pixels, cleft_gray_image *image, char *error) {
  volatile int status = CLEFT_CODEC_DAMAGED, is_full = 0;
  source s = {bytes, count, 0};
  memset(image, 0, sizeof *image);
  png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, error, fail, swallow, (png_voidp)&is_full, allocate,
                                             release);
  png_infop info = png ? png_create_info_struct(png) : NULL, end = png ? png_create_info_struct(png) : NULL;
  if (!info || !end || setjmp(png_jmpbuf(png))) {
    is_full = is_full || !png;
    png_destroy_read_struct(&png, &info, &end);
    free(image->pixels);
    free(image->exif);
    image->pixels = image->exif = NULL;
    return is_full ? CLEFT_CODEC_MEMORY : status;
  }
  png_set_read_fn(png, &s, take);
  ignore_extras(png);
  png_read_info(png, info);
  status = check(png, info, count, max_pixels, error);
  if (status) longjmp(png_jmpbuf(png), 1);
  status = CLEFT_CODEC_DAMAGED;
  const size_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
  want_gray(png, info);
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, info);
  if (png_get_rowbytes(png, info) != width) png_error(png, "it cannot be made 8-bit gray");
  /* An interlaced picture is read over itself, pass by pass. */
  image->pixels = passes > 1 ? calloc(height, width) : malloc(width * height);
  if (!image->pixels) {
    is_full = 1;
    png_error(png, "out of memory");
  }
  for (int pass = 0; pass < passes; pass++)
    for (size_t y = 0; y < height; y++) png_read_row(png, image->pixels + y * width, NULL);
  png_read_end(png, end);
  if (keep_exif(png, info, end, image)) {
    is_full = 1;
    png_error(png, "out of memory");
  }
  png_destroy_read_struct(&png, &info, &end);
  image->width = (int32_t)width;
  image->height = (int32_t)height;
  return CLEFT_CODEC_DONE;
}
