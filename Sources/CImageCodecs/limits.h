#ifndef CLEFT_LIMITS_H
#define CLEFT_LIMITS_H

#include <inttypes.h>
#include <stdio.h>

#include "CImageCodecs.h"

/* Whether a claimed size is allowed and can be in a file of `count` bytes that holds at most `capacity` pixels;
   called before anything as large as the picture is allocated. */
static inline int cleft_size_status(uint32_t width, uint32_t height, int64_t max_pixels, size_t count,
                                    double capacity, char *error) {
  const double claimed = (double)width * height;
  if (width == 0 || height == 0) {
    snprintf(error, 200, "%" PRIu32 " x %" PRIu32 " pixels", width, height);
    return CLEFT_CODEC_DAMAGED;
  }
  if (claimed > (double)max_pixels) {
    snprintf(error, 200, "%" PRIu32 " x %" PRIu32 " pixels, the limit is %" PRId64, width, height, max_pixels);
    return CLEFT_CODEC_TOO_LARGE;
  }
  if (claimed > capacity) {
    snprintf(error, 200, "it claims %" PRIu32 " x %" PRIu32 " pixels, its %zu bytes can hold at most %.0f", width, height,
             count, capacity);
    return CLEFT_CODEC_TOO_LARGE;
  }
  return CLEFT_CODEC_DONE;
}

#endif
