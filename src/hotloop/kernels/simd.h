// Elementary functions on fp32 that compilers vectorise without a maths library: no branch, no table, no call.
//
// Coefficients were fitted for this file (weighted least squares, reweighted towards the least maximum, then rounded to
// fp32). Errors against fp64 are tested: 2 ulp for exp, 2e-7 absolute for sin and cos while |x| <= kLargestAngle.
#pragma once

#include <cstdint>
#include <cstring>

#define HOTLOOP_INLINE static inline __attribute__((always_inline))

namespace hotloop {

// Beyond this angle the number of quarter turns no longer fits the three-part reduction below.
constexpr float kLargestAngle = 65536.0f;

HOTLOOP_INLINE float as_float(int32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

// Sine and cosine of x. Cody and Waite: x minus a number of quarter turns, pi/2 in three parts that fp32 holds exactly.
HOTLOOP_INLINE void sincos(float x, float& sine, float& cosine) {
  const float turns = __builtin_rintf(x * 0.636619772f);
  float r = __builtin_fmaf(-turns, 0x1.921fb6p+0f, x);
  r = __builtin_fmaf(-turns, -0x1.777a5cp-25f, r);
  r = __builtin_fmaf(-turns, -0x1.ee58p-50f, r);
  const int32_t quarter = static_cast<int32_t>(turns);
  const float r2 = r * r;
  const float s = r + r * r2 * (-0.16666655242443085f + r2 * (0.008332159370183945f + r2 * -0.0001951506856130436f));
  const float c = 1.0f - 0.5f * r2 +
                  r2 * r2 * (0.04166664555668831f + r2 * (-0.00138873141258955f + r2 * 2.4432911231997423e-05f));
  const bool swapped = (quarter & 1) != 0;
  const float a = swapped ? c : s;
  const float b = swapped ? s : c;
  sine = (quarter & 2) != 0 ? -a : a;
  cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

// e to the x; 0 below -87.3 (no subnormals), inf above 88.7, NaN for NaN.
HOTLOOP_INLINE float exp(float x) {
  const float low = x < -87.33654f ? -87.33654f : x;
  const float safe = low > 88.72283f ? 88.72283f : low;
  const float n = __builtin_rintf(safe * 1.44269504f);
  float r = __builtin_fmaf(-n, 0.693145751953125f, safe);
  r = __builtin_fmaf(-n, 1.428606765330187e-06f, r);
  const float p =
      1.0f + r +
      r * r *
          (0.4999999403953552f +
           r * (0.1666651964187622f + r * (0.04166839271783829f + r * (0.008368780836462975f + r * 0.001381446490995586f))));
  // In two factors, for 2^128 alone is no fp32 number.
  const int32_t whole = static_cast<int32_t>(n);
  const int32_t half = whole >> 1;
  const float scaled = p * as_float((half + 127) << 23) * as_float((whole - half + 127) << 23);
  const float at_least = x < -87.33654f ? 0.0f : scaled;
  return x > 88.72283f ? __builtin_inff() : at_least;
}

// log(1 + u) for u in [0, 1], as twice the inverse hyperbolic tangent of u / (2 + u).
HOTLOOP_INLINE float log1p_unit(float u) {
  const float s = u / (2.0f + u);
  const float s2 = s * s;
  return 2.0f * s +
         s * s2 * (0.666664183139801f + s2 * (0.40021583437919617f + s2 * (0.28000786900520325f + s2 * 0.2801743745803833f)));
}

HOTLOOP_INLINE float softplus(float x) {
  const float positive = x < 0.0f ? 0.0f : x;  // NaN stays NaN
  return positive + log1p_unit(exp(x < 0.0f ? x : -x));
}

HOTLOOP_INLINE float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }

}  // namespace hotloop
