// Squeeze and excitation with the residual and the ReLU behind it, forward and backward, fp32 and bf16 on the CPU.
//
// A thread takes a sample through all passes while it is in the cache. The operators are declared in excitation.py, with
// their shapes for tracers and their autograd.

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/library.h>

#include <tuple>
#include <vector>

#include "excitation.h"

namespace hotloop {
namespace {

using at::Tensor;

// `t` itself where it is dense with its channels in planes or last, else a dense copy.
Tensor dense(const Tensor& t) {
  const bool is_last = (t.dim() == 4 && t.is_contiguous(at::MemoryFormat::ChannelsLast)) ||
                       (t.dim() == 5 && t.is_contiguous(at::MemoryFormat::ChannelsLast3d));
  return is_last ? t : t.contiguous();
}

Tensor strided_as(const Tensor& t, const Tensor& model) {
  return t.strides() == model.strides() ? t : at::empty_like(model).copy_(t);
}

void check(const Tensor& y, const Tensor& other, const std::vector<Tensor>& weights) {
  TORCH_CHECK(y.scalar_type() == other.scalar_type() &&
                  (y.scalar_type() == at::kFloat || y.scalar_type() == at::kBFloat16),
              "squeeze_excitation got ", y.scalar_type(), " and ", other.scalar_type(),
              "; the compiled kernel takes fp32 or bf16, both the same: use the torch kernel");
  TORCH_CHECK(y.dim() >= 3 && y.sizes() == other.sizes(), "squeeze_excitation got ", y.sizes(), " and ", other.sizes(),
              "; give two tensors of the same shape (batch, channels, places...)");
  const int64_t channels = y.size(1), hidden = weights[0].size(0), outputs = weights[2].size(0);
  for (const Tensor& weight : weights) {
    TORCH_CHECK(weight.scalar_type() == at::kFloat, "squeeze_excitation got weights in ", weight.scalar_type(),
                "; give them in fp32");
  }
  const bool fits = weights[0].sizes() == at::IntArrayRef({hidden, channels}) &&
                    weights[1].sizes() == at::IntArrayRef({hidden}) &&
                    weights[2].sizes() == at::IntArrayRef({outputs, hidden}) &&
                    weights[3].sizes() == at::IntArrayRef({outputs}) &&
                    (outputs == channels || outputs == 2 * channels);
  TORCH_CHECK(fits, "squeeze_excitation got weights of ", weights[0].sizes(), ", ", weights[1].sizes(), ", ",
              weights[2].sizes(), ", ", weights[3].sizes(), " for ", channels,
              " channels; give (hidden, channels), (hidden), (channels or twice as many, hidden) and its bias");
}

Sizes sizes_of(const Tensor& y, const Tensor& squeeze, const Tensor& excite) {
  const int64_t channels = y.size(1);
  int64_t places = 1;
  for (int64_t dim = 2; dim < y.dim(); ++dim) places *= y.size(dim);
  return {channels, places, squeeze.size(0), !y.is_contiguous(), excite.size(0) != channels};
}

template <typename T>
T* space(const Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}

template <typename T>
const T* data(const Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}

Weights weights_of(const std::vector<Tensor>& w) {
  return {data<float>(w[0]), data<float>(w[1]), data<float>(w[2]), data<float>(w[3])};
}

Kept kept_of(const Sizes& s, const Tensor& means, const Tensor& hidden, const Tensor& gates, int64_t sample) {
  return {space<float>(means) + sample * s.channels, space<float>(hidden) + sample * s.hidden,
          space<float>(gates) + sample * s.outputs()};
}

template <typename T>
void forward_batch(const Sizes& s, const Tensor& y, const Tensor& residual, const std::vector<Tensor>& weights,
                   const Tensor& means, const Tensor& hidden, const Tensor& gates, const Tensor& out) {
  const std::vector<float> zeros(static_cast<size_t>(s.channels), 0.0f);
  at::parallel_for(0, y.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * s.values();
      forward_sample(s, data<T>(y) + at, data<T>(residual) + at, weights_of(weights), zeros.data(),
                     kept_of(s, means, hidden, gates, i), space<T>(out) + at);
    }
  });
}

std::tuple<Tensor, Tensor, Tensor, Tensor> forward(const Tensor& given, const Tensor& residual, const Tensor& squeeze,
                                                   const Tensor& squeeze_bias, const Tensor& excite,
                                                   const Tensor& excite_bias) {
  const std::vector<Tensor> weights{squeeze.contiguous(), squeeze_bias.contiguous(), excite.contiguous(),
                                    excite_bias.contiguous()};
  check(given, residual, weights);
  const Tensor y = dense(given), x = strided_as(residual, y);
  const Sizes s = sizes_of(y, squeeze, excite);
  const auto options = squeeze.options();
  Tensor out = at::empty_like(y), means = at::empty({y.size(0), s.channels}, options),
         hidden = at::empty({y.size(0), s.hidden}, options), gates = at::empty({y.size(0), s.outputs()}, options);
  if (y.scalar_type() == at::kFloat) {
    forward_batch<float>(s, y, x, weights, means, hidden, gates, out);
  } else {
    forward_batch<Bf16>(s, y, x, weights, means, hidden, gates, out);
  }
  return {std::move(out), std::move(means), std::move(hidden), std::move(gates)};
}

template <typename T>
void backward_batch(const Sizes& s, const Tensor& grad, const Tensor& out, const Tensor& y,
                    const std::vector<Tensor>& weights, const std::vector<Tensor>& kept, const Tensor& dhidden,
                    const Tensor& dgates, const Tensor& dy, const Tensor& dresidual) {
  at::parallel_for(0, y.size(0), 1, [&](int64_t begin, int64_t end) {
    std::vector<float> means(static_cast<size_t>(s.channels));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i * s.values();
      const Slopes slopes{space<float>(dhidden) + i * s.hidden, space<float>(dgates) + i * s.outputs()};
      backward_sample(s, data<T>(grad) + at, data<T>(out) + at, data<T>(y) + at, weights_of(weights),
                      kept_of(s, kept[0], kept[1], kept[2], i), slopes, means.data(), space<T>(dy) + at,
                      space<T>(dresidual) + at);
    }
  });
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> backward(const Tensor& given_grad, const Tensor& out,
                                                                    const Tensor& given_y, const Tensor& squeeze,
                                                                    const Tensor& excite, const Tensor& means,
                                                                    const Tensor& hidden, const Tensor& gates) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const Tensor grad = strided_as(given_grad, out), y = strided_as(given_y, out);
  const Sizes s = sizes_of(out, squeeze, excite);
  const Tensor first = squeeze.contiguous(), second = excite.contiguous();
  Tensor dy = at::empty_like(out), dresidual = at::empty_like(out), dhidden = at::empty_like(hidden),
         dgates = at::empty_like(gates);
  const std::vector<Tensor> weights{first, first, second, second}, kept{means, hidden, gates};  // no bias is read
  if (out.scalar_type() == at::kFloat) {
    backward_batch<float>(s, grad, out, y, weights, kept, dhidden, dgates, dy, dresidual);
  } else {
    backward_batch<Bf16>(s, grad, out, y, weights, kept, dhidden, dgates, dy, dresidual);
  }
  return {std::move(dy),       std::move(dresidual),          at::mm(dhidden.t(), means),
          at::sum(dhidden, 0), at::mm(dgates.t(), hidden), at::sum(dgates, 0)};
}

}  // namespace

TORCH_LIBRARY_IMPL(hotloop, CPU, m) {
  m.impl("squeeze_excitation_forward", forward);
  m.impl("squeeze_excitation_backward", backward);
}

// A second derivative is refused, not silently wrong.
TORCH_LIBRARY_IMPL(hotloop, Autograd, m) {
  m.impl("squeeze_excitation_backward", torch::autograd::autogradNotImplementedFallback());
}

}  // namespace hotloop
