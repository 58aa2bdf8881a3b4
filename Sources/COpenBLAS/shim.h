#ifndef CLEFT_COPENBLAS_SHIM_H
#define CLEFT_COPENBLAS_SHIM_H

#include <cblas.h>

/* Instruction sets the importing Swift module is compiled for, in the order of cleft_cpu_feature_name. */
enum {
  CLEFT_FEATURE_AVX2 = 1 << 0,
  CLEFT_FEATURE_FMA = 1 << 1,
  CLEFT_FEATURE_AVX512F = 1 << 2,
  CLEFT_FEATURE_AVX512BW = 1 << 3,
  CLEFT_FEATURE_AVX512VL = 1 << 4,
  CLEFT_FEATURE_AVX512BF16 = 1 << 5,
};

static inline unsigned cleft_built_features(void) {
  unsigned features = 0;
#ifdef __AVX2__
  features |= CLEFT_FEATURE_AVX2;
#endif
#ifdef __FMA__
  features |= CLEFT_FEATURE_FMA;
#endif
#ifdef __AVX512F__
  features |= CLEFT_FEATURE_AVX512F;
#endif
#ifdef __AVX512BW__
  features |= CLEFT_FEATURE_AVX512BW;
#endif
#ifdef __AVX512VL__
  features |= CLEFT_FEATURE_AVX512VL;
#endif
#ifdef __AVX512BF16__
  features |= CLEFT_FEATURE_AVX512BF16;
#endif
  return features;
}

/* Tells the core that this thread only looks again and again. */
static inline void cleft_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#endif
