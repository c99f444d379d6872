// The operators hotloop::sine and rms_norm on the CPU, fp32, with their derivatives.
//
// Each is one operator for callers (its autograd is here) over a forward and a backward operator, which is what tracers
// see. The shapes that tracers need are registered from Python.

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/autograd_not_implemented_fallback.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <optional>
#include <tuple>

#include "passes.h"

namespace hotloop {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Bounds = at::ArrayRef<double>;  // empty, or least and largest amplitude, frequency, decay
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

const float* data(const Tensor& t) { return t.const_data_ptr<float>(); }
float* space(Tensor& t) { return t.data_ptr<float>(); }

// A dense twin of `t` whose features lie as Layout says: `t` itself wherever that is possible.
Tensor dense(const Tensor& t, int64_t dim) {
  if (t.is_contiguous()) return t;
  if (dim == 1 && t.dim() == 4 && t.is_contiguous(at::MemoryFormat::ChannelsLast)) return t;
  if (dim == 1 && t.dim() == 5 && t.is_contiguous(at::MemoryFormat::ChannelsLast3d)) return t;
  return t.contiguous();
}

Layout layout_of(const Tensor& t, int64_t dim) {
  Layout layout{1, t.size(dim), 1};
  if (!t.is_contiguous()) {  // channels last
    layout.outer = layout.features == 0 ? 0 : t.numel() / layout.features;
    return layout;
  }
  for (int64_t i = 0; i < dim; ++i) layout.outer *= t.size(i);
  for (int64_t i = dim + 1; i < t.dim(); ++i) layout.inner *= t.size(i);
  return layout;
}

// `t` in exactly the strides of `model`.
Tensor strided_as(const Tensor& t, const Tensor& model) {
  return t.strides() == model.strides() ? t : at::empty_like(model).copy_(t);
}

void check(const Tensor& x, const Tensor& parameter, int64_t dim, const char* what) {
  TORCH_CHECK(x.scalar_type() == at::kFloat && parameter.scalar_type() == at::kFloat, what, " got ", x.scalar_type(),
              " and ", parameter.scalar_type(), "; the compiled kernel takes fp32 only: use the torch kernel");
  TORCH_CHECK(dim >= 0 && dim < x.dim(), what, " got feature dimension ", dim, " of a tensor with ", x.dim(),
              " dimensions; name one of them");
  TORCH_CHECK(parameter.dim() == 1 && parameter.size(0) == x.size(dim) && parameter.is_contiguous(), what, " got ",
              parameter.sizes(), " parameters for ", x.size(dim), " features; give one value for each feature");
}

Parameters parameters_of(const Tensor& amplitude, const Tensor& frequency, const Tensor& decay,
                         const OptionalTensor& phase, int64_t mode, Bounds bounds) {
  return Parameters(amplitude.numel(), {data(amplitude), data(frequency), data(decay)},
                    phase.has_value() ? data(*phase) : nullptr, options_of(mode, bounds));
}

std::tuple<Tensor, Tensor> sine_forward(const Tensor& given, const Tensor& amplitude, const Tensor& frequency,
                                        const Tensor& decay, const OptionalTensor& phase, int64_t dim, int64_t mode,
                                        Bounds bounds) {
  for (const Tensor* parameter : {&amplitude, &frequency, &decay}) check(given, *parameter, dim, "sine");
  if (phase.has_value()) check(given, *phase, dim, "sine");
  const Tensor z = dense(given, dim);
  Tensor y = at::empty_like(z), c = at::empty_like(z);
  sine_pass(data(z), layout_of(z, dim), parameters_of(amplitude, frequency, decay, phase, mode, bounds), space(y),
            space(c));
  return {std::move(y), std::move(c)};
}

std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> sine_backward(
    const Tensor& grad, const Tensor& given, const Tensor& y, const Tensor& c, const Tensor& amplitude,
    const Tensor& frequency, const Tensor& decay, const OptionalTensor& phase, int64_t dim, int64_t mode,
    Bounds bounds) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const Tensor z = strided_as(given, y), g = strided_as(grad, y);
  Tensor dz = at::empty_like(y), da = at::empty_like(amplitude), df = at::empty_like(amplitude),
         dd = at::empty_like(amplitude), dphase = at::empty_like(amplitude);
  sine_pass_backward(data(g), data(z), data(y), data(c), layout_of(y, dim),
                     parameters_of(amplitude, frequency, decay, phase, mode, bounds), space(dz),
                     {space(da), space(df), space(dd), space(dphase), nullptr});
  return {std::move(dz), std::move(da), std::move(df), std::move(dd), std::move(dphase)};
}

std::tuple<Tensor, Tensor> rms_norm_forward(const Tensor& given, const Tensor& weight, int64_t dim, double eps) {
  check(given, weight, dim, "rms_norm");
  const Tensor x = dense(given, dim);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.erase(sizes.begin() + dim);
  Tensor y = at::empty_like(x), inverse = at::empty(sizes, x.options());
  norm_pass(data(x), layout_of(x, dim), data(weight), static_cast<float>(eps), space(y), space(inverse));
  return {std::move(y), std::move(inverse)};
}

std::tuple<Tensor, Tensor> rms_norm_backward(const Tensor& grad, const Tensor& given, const Tensor& weight,
                                             const Tensor& inverse, int64_t dim) {
  const at::AutoDispatchBelowADInplaceOrView below;
  const Tensor x = dense(given, dim), g = strided_as(grad, x);
  Tensor dx = at::empty_like(x), dweight = at::empty_like(weight);
  norm_pass_backward(data(g), data(x), data(weight), data(inverse), nullptr, layout_of(x, dim), space(dx),
                     space(dweight));
  return {std::move(dx), std::move(dweight)};
}

template <typename Signature>
auto operator_named(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

struct Sine : torch::autograd::Function<Sine> {
  static Tensor forward(AutogradContext* ctx, const Tensor& z, const Tensor& amplitude, const Tensor& frequency,
                        const Tensor& decay, const OptionalTensor& phase, int64_t dim, int64_t mode, Bounds bounds) {
    static const auto op = operator_named<decltype(sine_forward)>("hotloop::sine_forward");
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [y, c] = op.call(z, amplitude, frequency, decay, phase, dim, mode, bounds);
    ctx->save_for_backward({z, y, c, amplitude, frequency, decay, phase.value_or(Tensor())});
    ctx->saved_data["dim"] = dim;
    ctx->saved_data["mode"] = mode;
    ctx->saved_data["bounds"] = bounds.vec();
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op = operator_named<decltype(sine_backward)>("hotloop::sine_backward");
    const variable_list s = ctx->get_saved_variables();
    const OptionalTensor phase = s[6].defined() ? OptionalTensor(s[6]) : std::nullopt;
    const std::vector<double> bounds = ctx->saved_data["bounds"].toDoubleVector();
    auto [dz, da, df, dd, dphase] = op.call(grads[0], s[0], s[1], s[2], s[3], s[4], s[5], phase,
                                            ctx->saved_data["dim"].toInt(), ctx->saved_data["mode"].toInt(), bounds);
    return {dz, da, df, dd, phase.has_value() ? dphase : Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

struct Norm : torch::autograd::Function<Norm> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& weight, int64_t dim, double eps) {
    static const auto op = operator_named<decltype(rms_norm_forward)>("hotloop::rms_norm_forward");
    const at::AutoDispatchBelowADInplaceOrView below;
    auto [y, inverse] = op.call(x, weight, dim, eps);
    ctx->save_for_backward({x, weight, inverse});
    ctx->saved_data["dim"] = dim;
    return y;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grads) {
    static const auto op = operator_named<decltype(rms_norm_backward)>("hotloop::rms_norm_backward");
    const variable_list s = ctx->get_saved_variables();
    auto [dx, dweight] = op.call(grads[0], s[0], s[1], s[2], ctx->saved_data["dim"].toInt());
    return {dx, dweight, Tensor(), Tensor()};
  }
};

Tensor sine(const Tensor& z, const Tensor& amplitude, const Tensor& frequency, const Tensor& decay,
            const OptionalTensor& phase, int64_t dim, int64_t mode, Bounds bounds) {
  return Sine::apply(z, amplitude, frequency, decay, phase, dim, mode, bounds);
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, int64_t dim, double eps) {
  return Norm::apply(x, weight, dim, eps);
}

}  // namespace

TORCH_LIBRARY(hotloop, m) {
  m.def(
      "sine(Tensor z, Tensor amplitude, Tensor frequency, Tensor decay, Tensor? phase, int feature_dim, "
      "int decay_mode, float[] bounds) -> Tensor");
  m.def(
      "sine_forward(Tensor z, Tensor amplitude, Tensor frequency, Tensor decay, Tensor? phase, int feature_dim, "
      "int decay_mode, float[] bounds) -> (Tensor, Tensor)");
  m.def(
      "sine_backward(Tensor grad, Tensor z, Tensor y, Tensor c, Tensor amplitude, Tensor frequency, Tensor decay, "
      "Tensor? phase, int feature_dim, int decay_mode, float[] bounds) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def("rms_norm(Tensor x, Tensor weight, int feature_dim, float eps) -> Tensor");
  m.def("rms_norm_forward(Tensor x, Tensor weight, int feature_dim, float eps) -> (Tensor, Tensor)");
  m.def("rms_norm_backward(Tensor grad, Tensor x, Tensor weight, Tensor inverse, int feature_dim) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(hotloop, CPU, m) {
  m.impl("sine_forward", sine_forward);
  m.impl("sine_backward", sine_backward);
  m.impl("rms_norm_forward", rms_norm_forward);
  m.impl("rms_norm_backward", rms_norm_backward);
}

TORCH_LIBRARY_IMPL(hotloop, CompositeImplicitAutograd, m) {
  m.impl("sine", sine);
  m.impl("rms_norm", rms_norm);
}

// A second derivative through these is refused, not silently wrong.
TORCH_LIBRARY_IMPL(hotloop, Autograd, m) {
  for (const char* name : {"sine_forward", "sine_backward", "rms_norm_forward", "rms_norm_backward"}) {
    m.impl(name, torch::autograd::autogradNotImplementedFallback());
  }
}

}  // namespace hotloop
