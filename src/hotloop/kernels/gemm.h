// Small matrix products on fp32 rows, without a library's call overhead; widths are multiples of kLanes.
#pragma once

#include <cstdint>

#include "simd.h"

namespace hotloop {

constexpr int64_t kLanes = 16;
typedef float Lanes __attribute__((vector_size(64), aligned(4), may_alias));

// Rows of C (Rows x Vectors * kLanes) = or += A B; element (r, k) of A lies at a[r * row + k * column].
template <int Rows, int Vectors>
HOTLOOP_INLINE void product_tile(int64_t depth, const float* a, int64_t row, int64_t column, const float* b, int64_t ldb,
                                 float* c, int64_t ldc, bool add) {
  Lanes sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) {
      sums[r][v] = add ? *reinterpret_cast<const Lanes*>(c + r * ldc + v * kLanes) : Lanes{};
    }
  }
  for (int64_t k = 0; k < depth; ++k) {
    Lanes values[Vectors];
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) values[v] = *reinterpret_cast<const Lanes*>(b + k * ldb + v * kLanes);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
      const float factor = a[r * row + k * column];
#pragma GCC unroll 4
      for (int v = 0; v < Vectors; ++v) sums[r][v] += factor * values[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < Vectors; ++v) *reinterpret_cast<Lanes*>(c + r * ldc + v * kLanes) = sums[r][v];
  }
}

template <int Vectors>
HOTLOOP_INLINE void product_strip(int64_t rows, int64_t depth, const float* a, int64_t row, int64_t column,
                                  const float* b, int64_t ldb, float* c, int64_t ldc, bool add) {
  int64_t r = 0;
  for (; r + 8 <= rows; r += 8) product_tile<8, Vectors>(depth, a + r * row, row, column, b, ldb, c + r * ldc, ldc, add);
  for (; r + 2 <= rows; r += 2) product_tile<2, Vectors>(depth, a + r * row, row, column, b, ldb, c + r * ldc, ldc, add);
  for (; r < rows; ++r) product_tile<1, Vectors>(depth, a + r * row, row, column, b, ldb, c + r * ldc, ldc, add);
}

// C (rows x width) = A B, or += where `add`; B is (depth x width), A as in product_tile.
inline void product(int64_t rows, int64_t width, int64_t depth, const float* a, int64_t row, int64_t column,
                    const float* b, float* c, bool add = false) {
  int64_t w = 0;
  for (; w + 2 * kLanes <= width; w += 2 * kLanes) {
    product_strip<2>(rows, depth, a, row, column, b + w, width, c + w, width, add);
  }
  if (w < width) product_strip<1>(rows, depth, a, row, column, b + w, width, c + w, width, add);
}

inline void transpose(int64_t rows, int64_t columns, const float* __restrict from, float* __restrict to) {
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) to[c * rows + r] = from[r * columns + c];
  }
}

}  // namespace hotloop
