#ifndef CLEFT_CONEDNN_SHIM_H
#define CLEFT_CONEDNN_SHIM_H

#include <oneapi/dnnl/dnnl.h>
#include <stdint.h>

/* oneDNN's product of bfloat16 matrices, row-major, float32 sums: c = alpha * op(a) * op(b) + beta * c. The library
   exports it beside dnnl_sgemm but its headers leave it out, so it is looked up by name when first wanted. */
typedef dnnl_status_t (*cleft_half_gemm)(
    char transa, char transb, dnnl_dim_t m, dnnl_dim_t n, dnnl_dim_t k, float alpha, const uint16_t *a,
    dnnl_dim_t lda, const uint16_t *b, dnnl_dim_t ldb, float beta, float *c, dnnl_dim_t ldc);

/* Threads that the calling thread's OpenMP regions use. */
typedef void (*cleft_set_threads)(int count);

#endif
