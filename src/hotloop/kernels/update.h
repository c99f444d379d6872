// The end of a training step on one flat vector: norm of the gradient, and Adam.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace hotloop {

// The 2-norm; fp32 in chunks, fp64 across them.
inline double norm_of(int64_t count, const float* g) {
  double total = 0;
  for (int64_t begin = 0; begin < count; begin += 4096) {
    const int64_t end = std::min(count, begin + 4096);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = begin; i < end; ++i) sum += g[i] * g[i];
    total += sum;
  }
  return std::sqrt(total);
}

struct Adam {
  float lr, beta1, beta2, eps, decay;
  bool is_decoupled;
};

// Kingma and Ba 2015, algorithm 1; decoupled decay: Loshchilov and Hutter 2019, algorithm 2. g is scaled first.
inline void adam_pass(int64_t count, const Adam& adam, double step, float scale, const float* __restrict g,
                      float* __restrict values, float* __restrict first, float* __restrict second) {
  const double correction1 = 1.0 - std::pow(static_cast<double>(adam.beta1), step);
  const double correction2 = 1.0 - std::pow(static_cast<double>(adam.beta2), step);
  const float size = static_cast<float>(adam.lr / correction1);
  const float root = static_cast<float>(1.0 / std::sqrt(correction2));
  const float kept = adam.is_decoupled ? 1.0f - adam.lr * adam.decay : 1.0f;
  const float pulled = adam.is_decoupled ? 0.0f : adam.decay;
  const float beta1 = adam.beta1, beta2 = adam.beta2, eps = adam.eps;
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float gradient = g[i] * scale + pulled * values[i];
    first[i] += (1.0f - beta1) * (gradient - first[i]);
    second[i] = beta2 * second[i] + (1.0f - beta2) * gradient * gradient;
    values[i] = kept * values[i] - size * first[i] / (std::sqrt(second[i]) * root + eps);
  }
}

}  // namespace hotloop
