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

/* Extents of a bfloat16 product whose result is bfloat16 too, row-major: c = op(a) * op(b) + bias. A row stride is the
   distance between rows as stored. */
typedef struct {
  dnnl_dim_t m, n, k, a_stride, b_stride, c_stride;
  int transposes_a, transposes_b, has_bias;
} cleft_half_extents;

/* The library's code for such a product. */
typedef struct cleft_half_product cleft_half_product;

#if DNNL_VERSION_MAJOR == 2
#include <stdlib.h>

struct cleft_half_product {
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  dnnl_primitive_t primitive;
  dnnl_memory_desc_t a, b, bias, c, scratch;
  int has_bias;
};

static inline dnnl_status_t cleft_describe(
    dnnl_memory_desc_t *description, dnnl_dim_t rows, dnnl_dim_t columns, dnnl_data_type_t type, dnnl_dim_t stride,
    int is_transposed) {
  dnnl_dims_t extents = {rows, columns};
  dnnl_dims_t strides = {is_transposed ? 1 : stride, is_transposed ? stride : 1};
  return dnnl_memory_desc_init_by_strides(description, 2, extents, type, strides);
}

static inline void cleft_half_product_destroy(cleft_half_product *p) {
  if (!p) return;
  if (p->primitive) dnnl_primitive_destroy(p->primitive);
  if (p->stream) dnnl_stream_destroy(p->stream);
  if (p->engine) dnnl_engine_destroy(p->engine);
  free(p);
}

/* Null where the library cannot do it on this processor. */
static inline cleft_half_product *cleft_half_product_create(cleft_half_extents e) {
  cleft_half_product *p = (cleft_half_product *)calloc(1, sizeof *p);
  dnnl_matmul_desc_t description;
  dnnl_primitive_attr_t attributes = NULL;
  dnnl_primitive_desc_t made = NULL;
  if (!p) return NULL;
  p->has_bias = e.has_bias;
  /* Who asks keeps the code; kept here as well it would never be freed. */
  dnnl_set_primitive_cache_capacity(0);
  int failed =
      dnnl_engine_create(&p->engine, dnnl_cpu, 0) || dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags)
      || cleft_describe(&p->a, e.m, e.k, dnnl_bf16, e.a_stride, e.transposes_a)
      || cleft_describe(&p->b, e.k, e.n, dnnl_bf16, e.b_stride, e.transposes_b)
      || cleft_describe(&p->bias, 1, e.n, dnnl_f32, e.n, 0) || cleft_describe(&p->c, e.m, e.n, dnnl_bf16, e.c_stride, 0)
      || dnnl_matmul_desc_init(&description, &p->a, &p->b, e.has_bias ? &p->bias : NULL, &p->c)
      || dnnl_primitive_attr_create(&attributes)
      || dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user)
      || dnnl_primitive_desc_create(&made, &description, attributes, p->engine, NULL)
      || dnnl_primitive_create(&p->primitive, made);
  if (!failed) p->scratch = *dnnl_primitive_desc_query_md(made, dnnl_query_scratchpad_md, 0);
  if (made) dnnl_primitive_desc_destroy(made);
  if (attributes) dnnl_primitive_attr_destroy(attributes);
  if (!failed) return p;
  cleft_half_product_destroy(p);
  return NULL;
}

/* Bytes of working memory that a run needs. */
static inline size_t cleft_half_product_scratch(const cleft_half_product *p) {
  return dnnl_memory_desc_get_size(&p->scratch);
}

/* Runs on the calling thread; several threads may run one product with scratch memory of their own. */
static inline dnnl_status_t cleft_half_product_run(
    const cleft_half_product *p, const uint16_t *a, const uint16_t *b, const float *bias, uint16_t *c, void *scratch) {
  const dnnl_memory_desc_t *descriptions[5] = {&p->a, &p->b, &p->c, &p->scratch, &p->bias};
  void *places[5] = {(void *)a, (void *)b, c, scratch, (void *)bias};
  const int roles[5] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD, DNNL_ARG_BIAS};
  dnnl_exec_arg_t arguments[5];
  int count = p->has_bias ? 5 : 4, made = 0;
  dnnl_status_t status = dnnl_success;
  while (made < count && status == dnnl_success) {
    arguments[made].arg = roles[made];
    status = dnnl_memory_create(&arguments[made].memory, descriptions[made], p->engine, places[made]);
    if (status == dnnl_success) made += 1;
  }
  if (status == dnnl_success) status = dnnl_primitive_execute(p->primitive, p->stream, count, arguments);
  while (made > 0) dnnl_memory_destroy(arguments[--made].memory);
  return status;
}
#else
/* Another interface since version 3: such products go through float32 results. */
struct cleft_half_product {
  int none;
};
static inline cleft_half_product *cleft_half_product_create(cleft_half_extents e) { return 0; }
static inline void cleft_half_product_destroy(cleft_half_product *p) {}
static inline size_t cleft_half_product_scratch(const cleft_half_product *p) { return 0; }
static inline dnnl_status_t cleft_half_product_run(
    const cleft_half_product *p, const uint16_t *a, const uint16_t *b, const float *bias, uint16_t *c, void *scratch) {
  return dnnl_unimplemented;
}
#endif

#endif
