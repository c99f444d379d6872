// The dense residual network in one operator: all layers, forward and backward, on one flat vector of parameters.
//
// For small batches the time of a step goes into the bookkeeping of some fifty small operators. Here there is one, whose
// gradient is one vector laid out as the parameters are. The vector holds them in the order of Module.parameters():
//   first.weight (H, I), first.bias; each block: alpha, norm.weight, fc1.weight (H, H), fc1.bias, fc2.weight, fc2.bias,
//   act1 amplitude, frequency, decay, act2 amplitude, frequency, decay; norm.weight, head.weight (O, H), head.bias.
#pragma once

#include <ATen/ops/addmm.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>

#include "passes.h"

namespace hotloop {

struct Shape {
  int64_t rows;
  int64_t inputs;
  int64_t hidden;
  int64_t layers;
  int64_t outputs;

  int64_t block_size() const { return 1 + hidden + 2 * (hidden * hidden + hidden) + 2 * kRoles * hidden; }
  int64_t parameters() const {
    return hidden * inputs + hidden + layers * block_size() + hidden + outputs * hidden + outputs;
  }
  // What forward keeps: for each block x, its norm, and z, y, c of both activations; then the last x and its norm;
  // then the inverse norms.
  int64_t kept_of_block() const { return 8 * rows * hidden; }
  int64_t kept() const { return layers * kept_of_block() + 2 * rows * hidden + (layers + 1) * rows; }
};

// Pointers to the parameters of one network inside a flat vector, read in order.
template <typename T>
class Reader {
 public:
  explicit Reader(T* at) : at_(at) {}
  T* take(int64_t count) {
    T* here = at_;
    at_ += count;
    return here;
  }

 private:
  T* at_;
};

template <typename T>
struct Block {
  T *alpha, *norm, *weight1, *bias1, *weight2, *bias2;
  std::array<T*, kRoles> act1, act2;

  Block(T* flat, const Shape& s) {
    Reader<T> reader(flat);
    alpha = reader.take(1);
    norm = reader.take(s.hidden);
    weight1 = reader.take(s.hidden * s.hidden);
    bias1 = reader.take(s.hidden);
    weight2 = reader.take(s.hidden * s.hidden);
    bias2 = reader.take(s.hidden);
    for (T*& role : act1) role = reader.take(s.hidden);
    for (T*& role : act2) role = reader.take(s.hidden);
  }
};

template <typename T>
struct Ends {
  T *first_weight, *first_bias, *blocks, *norm, *head_weight, *head_bias;

  Ends(T* flat, const Shape& s) {
    Reader<T> reader(flat);
    first_weight = reader.take(s.hidden * s.inputs);
    first_bias = reader.take(s.hidden);
    blocks = reader.take(s.layers * s.block_size());
    norm = reader.take(s.hidden);
    head_weight = reader.take(s.outputs * s.hidden);
    head_bias = reader.take(s.outputs);
  }
};

// What forward leaves for backward.
struct Kept {
  float *x, *normed, *z1, *y1, *c1, *z2, *y2, *c2, *inverse;

  Kept(float* kept, const Shape& s, int64_t layer) {
    const int64_t size = s.rows * s.hidden;
    Reader<float> reader(kept + layer * s.kept_of_block());
    x = reader.take(size);
    normed = reader.take(size);
    if (layer < s.layers) {
      z1 = reader.take(size);
      y1 = reader.take(size);
      c1 = reader.take(size);
      z2 = reader.take(size);
      y2 = reader.take(size);
      c2 = reader.take(size);
    }
    inverse = kept + s.layers * s.kept_of_block() + 2 * size + layer * s.rows;
  }
};

// A matrix over memory that somebody else owns; transposed by strides.
inline at::Tensor matrix(const float* at, int64_t rows, int64_t columns) {
  return at::from_blob(const_cast<float*>(at), {rows, columns}, at::TensorOptions(at::kFloat));
}

inline at::Tensor transposed(const float* at, int64_t rows, int64_t columns) {
  return at::from_blob(const_cast<float*>(at), {columns, rows}, {1, columns}, at::TensorOptions(at::kFloat));
}

// y (rows, out) = x (rows, in) weight^T + bias.
inline void linear(int64_t rows, int64_t in, int64_t out, const float* x, const float* weight, const float* bias,
                   float* y) {
  at::Tensor result = matrix(y, rows, out);
  at::addmm_out(result, matrix(bias, 1, out), matrix(x, rows, in), transposed(weight, out, in));
}

// dx (rows, in) = g (rows, out) weight.
inline void linear_to_input(int64_t rows, int64_t in, int64_t out, const float* g, const float* weight, float* dx) {
  at::Tensor result = matrix(dx, rows, in);
  at::mm_out(result, matrix(g, rows, out), matrix(weight, out, in));
}

// dweight (out, in) = g^T x.
inline void linear_to_weight(int64_t rows, int64_t in, int64_t out, const float* g, const float* x, float* dweight) {
  at::Tensor result = matrix(dweight, out, in);
  at::mm_out(result, transposed(g, rows, out), matrix(x, rows, in));
}

inline void sum_rows(int64_t rows, int64_t out, const float* g, float* total) {
  std::vector<double> sums(out, 0.0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < out; ++i) sums[i] += g[row * out + i];
  }
  std::copy_n(sums.data(), out, total);
}

inline void network_forward(const Shape& s, const float* input, const float* flat, float eps, const Options& options,
                            float* kept, float* output) {
  const Ends<const float> ends(flat, s);
  const Layout layout{s.rows, s.hidden, 1};
  const int64_t size = s.rows * s.hidden;
  linear(s.rows, s.inputs, s.hidden, input, ends.first_weight, ends.first_bias, Kept(kept, s, 0).x);
  for (int64_t layer = 0; layer < s.layers; ++layer) {
    const Block<const float> p(ends.blocks + layer * s.block_size(), s);
    const Kept k(kept, s, layer);
    norm_pass(k.x, layout, p.norm, eps, k.normed, k.inverse);
    linear(s.rows, s.hidden, s.hidden, k.normed, p.weight1, p.bias1, k.z1);
    sine_pass(k.z1, layout, Parameters(s.hidden, p.act1, nullptr, options), k.y1, k.c1);
    linear(s.rows, s.hidden, s.hidden, k.y1, p.weight2, p.bias2, k.z2);
    sine_pass(k.z2, layout, Parameters(s.hidden, p.act2, nullptr, options), k.y2, k.c2);
    float* __restrict next = Kept(kept, s, layer + 1).x;
    const float alpha = p.alpha[0];
#pragma omp simd
    for (int64_t i = 0; i < size; ++i) next[i] = k.x[i] + alpha * k.y2[i];
  }
  const Kept last(kept, s, s.layers);
  norm_pass(last.x, layout, ends.norm, eps, last.normed, last.inverse);
  linear(s.rows, s.hidden, s.outputs, last.normed, ends.head_weight, ends.head_bias, output);
}

// Writes the gradient of every parameter to `dflat`, and that of the input unless `dinput` is null.
inline void network_backward(const Shape& s, const float* g, const float* input, const float* flat, float* kept,
                             const Options& options, float* dflat, float* dinput) {
  const Ends<const float> ends(flat, s);
  const Ends<float> out(dflat, s);
  const Layout layout{s.rows, s.hidden, 1};
  const int64_t size = s.rows * s.hidden;
  std::vector<float> scratch(3 * size);
  float *dx = scratch.data(), *a = dx + size, *b = a + size;
  const Kept last(kept, s, s.layers);
  linear_to_weight(s.rows, s.hidden, s.outputs, g, last.normed, out.head_weight);
  sum_rows(s.rows, s.outputs, g, out.head_bias);
  linear_to_input(s.rows, s.hidden, s.outputs, g, ends.head_weight, a);
  norm_pass_backward(a, last.x, ends.norm, last.inverse, nullptr, layout, dx, out.norm);
  for (int64_t layer = s.layers - 1; layer >= 0; --layer) {
    const Block<const float> p(ends.blocks + layer * s.block_size(), s);
    const Block<float> d(out.blocks + layer * s.block_size(), s);
    const Kept k(kept, s, layer);
    const float alpha = p.alpha[0];
    double to_alpha = 0;
    for (int64_t row = 0; row < s.rows; ++row) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = row * s.hidden; i < (row + 1) * s.hidden; ++i) {
        sum += dx[i] * k.y2[i];
        a[i] = alpha * dx[i];
      }
      to_alpha += sum;
    }
    d.alpha[0] = static_cast<float>(to_alpha);
    const SineGradients second{d.act2[0], d.act2[1], d.act2[2], nullptr, d.bias2};
    sine_pass_backward(a, k.z2, k.y2, k.c2, layout, Parameters(s.hidden, p.act2, nullptr, options), b, second);
    linear_to_weight(s.rows, s.hidden, s.hidden, b, k.y1, d.weight2);
    linear_to_input(s.rows, s.hidden, s.hidden, b, p.weight2, a);
    const SineGradients first{d.act1[0], d.act1[1], d.act1[2], nullptr, d.bias1};
    sine_pass_backward(a, k.z1, k.y1, k.c1, layout, Parameters(s.hidden, p.act1, nullptr, options), b, first);
    linear_to_weight(s.rows, s.hidden, s.hidden, b, k.normed, d.weight1);
    linear_to_input(s.rows, s.hidden, s.hidden, b, p.weight1, a);
    norm_pass_backward(a, k.x, p.norm, k.inverse, dx, layout, b, d.norm);
    std::swap(dx, b);
  }
  linear_to_weight(s.rows, s.inputs, s.hidden, dx, input, out.first_weight);
  sum_rows(s.rows, s.hidden, dx, out.first_bias);
  if (dinput != nullptr) linear_to_input(s.rows, s.inputs, s.hidden, dx, ends.first_weight, dinput);
}

}  // namespace hotloop
