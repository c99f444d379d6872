// Residual networks for training loops: all layers forward, all layers backward, one operator each, on one thread.
//
// Parameters are one flat vector in the order of Module.parameters():
//   first.weight (H, I[, 1, 1]), first.bias; each block: alpha, norm.weight, weight1 (H, H[, 3, 3]), bias1, weight2, bias2,
//   act1 amplitude, frequency, decay, act2 amplitude, frequency, decay; norm.weight, head.weight (O, H), head.bias.
// Their gradient is written to a vector laid out the same. Memory for what forward keeps is the caller's, so that a loop
// allocates it once. Dense networks mix features by matrices, convolutional ones channels by 3 x 3 filters; rows are
// samples, or places of images that lie channels last.

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <torch/library.h>

#include <cmath>
#include <limits>
#include <memory>

#include "passes.h"
#include "update.h"
#include "winograd.h"

namespace hotloop {
namespace {

using at::Tensor;

const float* data(const Tensor& t) { return t.const_data_ptr<float>(); }
float* space(const Tensor& t) { return t.mutable_data_ptr<float>(); }

struct Net {
  int64_t samples, inputs, hidden, layers, outputs, height, width;  // height 0: dense

  bool is_dense() const { return height == 0; }
  int64_t places() const { return is_dense() ? 1 : height * width; }
  int64_t rows() const { return samples * places(); }
  int64_t size() const { return rows() * hidden; }
  int64_t mixer() const { return hidden * hidden * (is_dense() ? 1 : 9); }
  int64_t block() const { return 1 + hidden + 2 * (mixer() + hidden) + 2 * kRoles * hidden; }
  int64_t parameters() const {
    return hidden * inputs + hidden + layers * block() + hidden + outputs * hidden + outputs;
  }
  // Of each block x, its norm, and z, y, c of both activations; the last x and its norm; inverse norms; and for images
  // the input with channels last and the mean over places.
  int64_t kept() const {
    return layers * 8 * size() + 2 * size() + (layers + 1) * rows() + rows() * inputs + samples * hidden;
  }
};

template <typename T>
T* take(T*& at, int64_t count) {
  T* here = at;
  at += count;
  return here;
}

template <typename T>
struct BlockAt {
  T *alpha, *norm, *weight[2], *bias[2];
  std::array<T*, kRoles> act[2];

  BlockAt(T* at, const Net& net) {
    alpha = take(at, 1);
    norm = take(at, net.hidden);
    for (int half = 0; half < 2; ++half) {
      weight[half] = take(at, net.mixer());
      bias[half] = take(at, net.hidden);
    }
    for (auto& roles : act) {
      for (T*& role : roles) role = take(at, net.hidden);
    }
  }
};

template <typename T>
struct EndsAt {
  T *first_weight, *first_bias, *blocks, *norm, *head_weight, *head_bias;

  EndsAt(T* at, const Net& net) {
    first_weight = take(at, net.hidden * net.inputs);
    first_bias = take(at, net.hidden);
    blocks = take(at, net.layers * net.block());
    norm = take(at, net.hidden);
    head_weight = take(at, net.outputs * net.hidden);
    head_bias = take(at, net.outputs);
  }
};

struct KeptAt {
  float *x, *normed, *z[2], *y[2], *c[2], *inverse;

  KeptAt(float* kept, const Net& net, int64_t layer) {
    float* at = kept + layer * 8 * net.size();
    x = take(at, net.size());
    normed = take(at, net.size());
    for (int half = 0; half < 2 && layer < net.layers; ++half) {
      z[half] = take(at, net.size());
      y[half] = take(at, net.size());
      c[half] = take(at, net.size());
    }
    inverse = kept + (net.layers * 8 + 2) * net.size() + layer * net.rows();
  }

  static float* rows_of(float* kept, const Net& net) {
    return kept + (net.layers * 8 + 2) * net.size() + (net.layers + 1) * net.rows();
  }
};

void add_bias(int64_t rows, int64_t width, const float* __restrict bias, float* __restrict y) {
  for (int64_t row = 0; row < rows; ++row) {
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) y[row * width + i] += bias[i];
  }
}

void sum_rows(int64_t rows, int64_t width, const float* g, float* total) {
  std::vector<double> sums(width, 0.0);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t i = 0; i < width; ++i) sums[i] += g[row * width + i];
  }
  std::copy_n(sums.data(), width, total);
}

// What stands between norm and activation: a matrix, or a 3 x 3 convolution.
class Mixer {
 public:
  explicit Mixer(const Net& net) : net_(net) {
    if (net.is_dense()) {
      turned_.resize(net.hidden * net.hidden);
    } else {
      images_ = std::make_unique<Winograd>(Images{net.samples, net.height, net.width, net.hidden});
    }
  }

  void forward(const float* x, const float* weight, const float* bias, float* y) {
    if (images_) return images_->forward(x, weight, bias, y);
    const int64_t n = net_.hidden;
    transpose(n, n, weight, turned_.data());
    for (int64_t row = 0; row < net_.rows(); ++row) std::copy_n(bias, n, y + row * n);
    product(net_.rows(), n, n, x, n, 1, turned_.data(), y, true);
  }

  void backward(const float* g, const float* x, const float* weight, float* dx, float* dweight) {
    if (images_) return images_->backward(g, x, weight, dx, dweight);
    const int64_t n = net_.hidden;
    product(n, n, net_.rows(), g, 1, n, x, dweight);
    product(net_.rows(), n, n, g, n, 1, weight, dx);
  }

 private:
  Net net_;
  std::vector<float> turned_;
  std::unique_ptr<Winograd> images_;
};

// The input as rows of features: as it is, or with channels last.
const float* input_rows(const Net& net, const float* input, float* kept) {
  if (net.is_dense()) return input;
  float* rows = KeptAt::rows_of(kept, net);
  for (int64_t s = 0; s < net.samples; ++s) {
    transpose(net.inputs, net.places(), input + s * net.inputs * net.places(), rows + s * net.inputs * net.places());
  }
  return rows;
}

float* pooled(const Net& net, float* kept) {
  return net.is_dense() ? KeptAt(kept, net, net.layers).normed
                        : KeptAt::rows_of(kept, net) + net.rows() * net.inputs;
}

void pool(const Net& net, const float* normed, float* mean) {
  const float share = 1.0f / static_cast<float>(net.places());
  for (int64_t s = 0; s < net.samples; ++s) {
    float* __restrict to = mean + s * net.hidden;
    std::fill_n(to, net.hidden, 0.0f);
    for (int64_t place = 0; place < net.places(); ++place) {
      const float* __restrict from = normed + (s * net.places() + place) * net.hidden;
#pragma omp simd
      for (int64_t i = 0; i < net.hidden; ++i) to[i] += share * from[i];
    }
  }
}

void unpool(const Net& net, const float* mean, float* normed) {
  const float share = 1.0f / static_cast<float>(net.places());
  for (int64_t row = 0; row < net.rows(); ++row) {
    const float* __restrict from = mean + row / net.places() * net.hidden;
    float* __restrict to = normed + row * net.hidden;
#pragma omp simd
    for (int64_t i = 0; i < net.hidden; ++i) to[i] = share * from[i];
  }
}

void head(const Net& net, const float* x, const float* weight, const float* bias, float* y) {
  for (int64_t s = 0; s < net.samples; ++s) {
    for (int64_t o = 0; o < net.outputs; ++o) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t i = 0; i < net.hidden; ++i) sum += x[s * net.hidden + i] * weight[o * net.hidden + i];
      y[s * net.outputs + o] = sum + bias[o];
    }
  }
}

void forward_pass(const Net& net, const float* input, const float* flat, float eps, const Options& options, float* kept,
                  float* output) {
  const EndsAt<const float> ends(flat, net);
  const Layout layout{net.rows(), net.hidden, 1};
  Mixer mixer(net);
  std::vector<float> turned(net.hidden * net.inputs);
  transpose(net.hidden, net.inputs, ends.first_weight, turned.data());
  float* x = KeptAt(kept, net, 0).x;
  const float* rows = input_rows(net, input, kept);
  product(net.rows(), net.hidden, net.inputs, rows, net.inputs, 1, turned.data(), x);
  add_bias(net.rows(), net.hidden, ends.first_bias, x);
  for (int64_t layer = 0; layer < net.layers; ++layer) {
    const BlockAt<const float> p(ends.blocks + layer * net.block(), net);
    const KeptAt k(kept, net, layer);
    norm_pass(k.x, layout, p.norm, eps, k.normed, k.inverse);
    for (int half = 0; half < 2; ++half) {
      mixer.forward(half == 0 ? k.normed : k.y[0], p.weight[half], p.bias[half], k.z[half]);
      sine_pass(k.z[half], layout, Parameters(net.hidden, p.act[half], nullptr, options), k.y[half], k.c[half]);
    }
    float* __restrict next = KeptAt(kept, net, layer + 1).x;
    const float alpha = p.alpha[0];
#pragma omp simd
    for (int64_t i = 0; i < net.size(); ++i) next[i] = k.x[i] + alpha * k.y[1][i];
  }
  const KeptAt last(kept, net, net.layers);
  norm_pass(last.x, layout, ends.norm, eps, last.normed, last.inverse);
  if (!net.is_dense()) pool(net, last.normed, pooled(net, kept));
  head(net, pooled(net, kept), ends.head_weight, ends.head_bias, output);
}

// dalpha, and a = alpha dx.
float branch_gradient(const Net& net, const float* __restrict dx, const float* __restrict y, float alpha,
                      float* __restrict a) {
  double total = 0;
  for (int64_t row = 0; row < net.rows(); ++row) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = row * net.hidden; i < (row + 1) * net.hidden; ++i) {
      sum += dx[i] * y[i];
      a[i] = alpha * dx[i];
    }
    total += sum;
  }
  return static_cast<float>(total);
}

void backward_pass(const Net& net, const float* g, const float* input, const float* flat, const Options& options,
                   float* kept, float* scratch, float* dflat) {
  const EndsAt<const float> ends(flat, net);
  const EndsAt<float> out(dflat, net);
  const Layout layout{net.rows(), net.hidden, 1};
  Mixer mixer(net);
  float *dx = scratch, *a = dx + net.size(), *b = a + net.size();
  const KeptAt last(kept, net, net.layers);
  product(net.outputs, net.hidden, net.samples, g, 1, net.outputs, pooled(net, kept), out.head_weight);
  sum_rows(net.samples, net.outputs, g, out.head_bias);
  product(net.samples, net.hidden, net.outputs, g, net.outputs, 1, ends.head_weight, net.is_dense() ? a : b);
  if (!net.is_dense()) unpool(net, b, a);
  norm_pass_backward(a, last.x, ends.norm, last.inverse, nullptr, layout, dx, out.norm);
  for (int64_t layer = net.layers - 1; layer >= 0; --layer) {
    const BlockAt<const float> p(ends.blocks + layer * net.block(), net);
    const BlockAt<float> d(out.blocks + layer * net.block(), net);
    const KeptAt k(kept, net, layer);
    d.alpha[0] = branch_gradient(net, dx, k.y[1], p.alpha[0], a);
    for (int half = 1; half >= 0; --half) {
      const SineGradients gradients{d.act[half][0], d.act[half][1], d.act[half][2], nullptr, d.bias[half]};
      sine_pass_backward(a, k.z[half], k.y[half], k.c[half], layout,
                         Parameters(net.hidden, p.act[half], nullptr, options), b, gradients);
      mixer.backward(b, half == 0 ? k.normed : k.y[0], p.weight[half], a, d.weight[half]);
    }
    norm_pass_backward(a, k.x, p.norm, k.inverse, dx, layout, b, d.norm);
    std::swap(dx, b);
  }
  const float* rows = net.is_dense() ? input : KeptAt::rows_of(kept, net);
  std::vector<float> turned(net.hidden * net.inputs);
  product(net.inputs, net.hidden, net.rows(), rows, 1, net.inputs, dx, turned.data());
  transpose(net.inputs, net.hidden, turned.data(), out.first_weight);
  sum_rows(net.rows(), net.hidden, dx, out.first_bias);
}

Net net_of(const Tensor& x, const Tensor& flat, at::IntArrayRef sizes) {
  TORCH_CHECK(sizes.size() == 3, "got ", sizes.size(), " sizes; give hidden, layers, outputs");
  TORCH_CHECK((x.dim() == 2 || x.dim() == 4) && x.is_contiguous() && x.scalar_type() == at::kFloat, "got an input of ",
              x.sizes(), " ", x.scalar_type(), "; give contiguous fp32 (rows, features) or (images, channels, h, w)");
  const bool is_dense = x.dim() == 2;
  const Net net{x.size(0), x.size(1), sizes[0], sizes[1], sizes[2], is_dense ? 0 : x.size(2), is_dense ? 0 : x.size(3)};
  TORCH_CHECK(net.hidden % kLanes == 0, "got ", net.hidden, " hidden units; give a multiple of ", kLanes);
  TORCH_CHECK(flat.dim() == 1 && flat.is_contiguous() && flat.scalar_type() == at::kFloat &&
                  flat.numel() == net.parameters(),
              "got ", flat.sizes(), " parameters where the network has ", net.parameters());
  return net;
}

void check_room(const Tensor& room, int64_t least) {
  TORCH_CHECK(room.numel() >= least && room.is_contiguous() && room.scalar_type() == at::kFloat, "got room for ",
              room.numel(), " values; give ", least);
}

int64_t room_kept(const Tensor& x, const Tensor& flat, at::IntArrayRef sizes) { return net_of(x, flat, sizes).kept(); }

int64_t room_scratch(const Tensor& x, const Tensor& flat, at::IntArrayRef sizes) {
  return 3 * net_of(x, flat, sizes).size();
}

Tensor training_forward(const Tensor& x, const Tensor& flat, at::IntArrayRef sizes, double eps, int64_t mode,
                        at::ArrayRef<double> bounds, const Tensor& kept) {
  const Net net = net_of(x, flat, sizes);
  check_room(kept, net.kept());
  Tensor output = at::empty({net.samples, net.outputs}, x.options());
  forward_pass(net, data(x), data(flat), static_cast<float>(eps), options_of(mode, bounds), space(kept), space(output));
  return output;
}

void training_backward(const Tensor& grad, const Tensor& x, const Tensor& flat, at::IntArrayRef sizes, int64_t mode,
                       at::ArrayRef<double> bounds, const Tensor& kept, const Tensor& scratch, const Tensor& dflat) {
  const Net net = net_of(x, flat, sizes);
  const Tensor g = grad.contiguous();
  TORCH_CHECK(g.dim() == 2 && g.size(0) == net.samples && g.size(1) == net.outputs, "got a gradient of ", g.sizes());
  check_room(kept, net.kept());
  check_room(scratch, 3 * net.size());
  check_room(dflat, net.parameters());
  backward_pass(net, data(g), data(x), data(flat), options_of(mode, bounds), space(kept), space(scratch), space(dflat));
}

// Clips the gradient to `max_norm` (0: not at all) and makes one step of Adam. Where the loss or the norm is not finite,
// nothing but `skip` changes, and the loss comes back as NaN; `latch` makes that last.
Tensor training_update(const Tensor& values, const Tensor& grads, const Tensor& first, const Tensor& second,
                       const Tensor& steps, const Tensor& skip, const Tensor& loss, double max_norm, double lr,
                       at::ArrayRef<double> constants, bool is_decoupled, bool latch) {
  const int64_t count = values.numel();
  for (const Tensor* t : {&values, &grads, &first, &second}) check_room(*t, count);
  TORCH_CHECK(constants.size() == 4 && loss.numel() == 1 && loss.scalar_type() == at::kFloat, "got ", constants.size(),
              " constants and a loss of ", loss.sizes(), "; give beta1, beta2, eps, decay and a scalar");
  const double norm = norm_of(count, data(grads));
  const bool is_bad = (latch && *data(skip) != 0.0f) || !std::isfinite(norm) || !std::isfinite(*data(loss));
  *space(skip) = is_bad ? 1.0f : 0.0f;
  if (is_bad) return at::full({}, std::numeric_limits<float>::quiet_NaN(), loss.options());
  const float scale = max_norm > 0.0 ? std::min(1.0f, static_cast<float>(max_norm / (norm + 1e-6))) : 1.0f;
  const Adam adam{static_cast<float>(lr),           static_cast<float>(constants[0]), static_cast<float>(constants[1]),
                  static_cast<float>(constants[2]), static_cast<float>(constants[3]), is_decoupled};
  const double step = *data(steps) + 1.0;
  *space(steps) = static_cast<float>(step);
  adam_pass(count, adam, step, scale, data(grads), space(values), space(first), space(second));
  return loss.clone();
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(hotloop, m) {
  m.def("room_kept(Tensor x, Tensor flat, int[] sizes) -> int");
  m.def("room_scratch(Tensor x, Tensor flat, int[] sizes) -> int");
  m.def(
      "training_forward(Tensor x, Tensor flat, int[] sizes, float eps, int decay_mode, float[] bounds, "
      "Tensor(a!) kept) -> Tensor");
  m.def(
      "training_backward(Tensor grad, Tensor x, Tensor flat, int[] sizes, int decay_mode, float[] bounds, "
      "Tensor(a!) kept, Tensor(b!) scratch, Tensor(c!) dflat) -> ()");
  m.def(
      "training_update(Tensor(a!) values, Tensor grads, Tensor(b!) first, Tensor(c!) second, Tensor(d!) steps, "
      "Tensor(e!) skip, Tensor loss, float max_norm, float lr, float[] constants, bool is_decoupled, bool latch) "
      "-> Tensor");
}

TORCH_LIBRARY_IMPL(hotloop, CPU, m) {
  m.impl("room_kept", room_kept);
  m.impl("room_scratch", room_scratch);
  m.impl("training_forward", training_forward);
  m.impl("training_backward", training_backward);
  m.impl("training_update", training_update);
}

}  // namespace hotloop
