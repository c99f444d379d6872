// 3 x 3 convolution with padding 1 on images that lie channels last, by minimal filtering.
//
// F(2 x 2, 3 x 3): Lavin and Gray 2016 (arXiv:1509.09308), section 4.1, with their matrices A, B, G. Each tile of 2 x 2
// outputs takes 16 products a pair of channels in place of 36. Backward is the adjoint of each step, with the same
// matrices. Works through a few images at a time, so that what is in between stays in the cache.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "gemm.h"

namespace hotloop {

struct Images {
  int64_t count;
  int64_t height;
  int64_t width;
  int64_t channels;  // in and out

  int64_t places() const { return height * width; }
  int64_t tiles_down() const { return (height + 1) / 2; }
  int64_t tiles_across() const { return (width + 1) / 2; }
  int64_t tiles() const { return tiles_down() * tiles_across(); }
  int64_t padded_width() const { return 2 * tiles_across() + 2; }
  int64_t padded_size() const { return (2 * tiles_down() + 2) * padded_width() * channels; }
};

constexpr int64_t kPoints = 16;
constexpr int64_t kTilesAtOnce = 64;  // 64 tiles of 32 channels keep both planes in a cache of 512 KiB

class Winograd {
 public:
  explicit Winograd(const Images& images)
      : im_(images),
        at_once_(std::clamp<int64_t>(kTilesAtOnce / images.tiles(), 1, images.count)),
        plane_(at_once_ * images.tiles() * images.channels + kLanes),
        filter_(images.channels * images.channels + kLanes),
        padded_(images.padded_size()),
        tiles_(kPoints * plane_),
        more_(kPoints * plane_),
        filters_(kPoints * filter_),
        sums_(kPoints * filter_) {}

  // y = conv(x, weight) + bias; weight is (out, in, 3, 3).
  void forward(const float* x, const float* weight, const float* bias, float* y) {
    set_filters<false>(weight);
    std::fill(padded_.begin(), padded_.end(), 0.0f);
    for (int64_t first = 0; first < im_.count; first += at_once_) {
      const int64_t images = std::min(at_once_, im_.count - first);
      take_inputs(images, x + first * image());
      multiply(images, tiles_.data(), more_.data());
      for (int64_t i = 0; i < images; ++i) give_outputs(i, bias, y + (first + i) * image());
    }
  }

  // dx and dweight for g, the gradient of y; x is what forward saw.
  void backward(const float* g, const float* x, const float* weight, float* dx, float* dweight) {
    set_filters<true>(weight);
    std::fill(padded_.begin(), padded_.end(), 0.0f);
    std::fill(sums_.begin(), sums_.end(), 0.0f);
    std::vector<float> scattered(im_.padded_size());
    const int64_t c = im_.channels;
    for (int64_t first = 0; first < im_.count; first += at_once_) {
      const int64_t images = std::min(at_once_, im_.count - first), rows = images * im_.tiles();
      take_inputs(images, x + first * image());
      for (int64_t i = 0; i < images; ++i) take_gradients(i, g + (first + i) * image());
      for (int64_t p = 0; p < kPoints; ++p) {
        product(c, c, rows, more_.data() + p * plane_, 1, c, tiles_.data() + p * plane_, sums_.data() + p * filter_, true);
      }
      multiply(images, more_.data(), tiles_.data());
      for (int64_t i = 0; i < images; ++i) scatter(i, scattered, dx + (first + i) * image());
    }
    give_filter_gradients(dweight);
  }

 private:
  int64_t image() const { return im_.places() * im_.channels; }

  // U = G w G^T of each pair of channels; rows of a point are inputs, or outputs where Transposed.
  template <bool Transposed>
  void set_filters(const float* weight) {
    const int64_t c = im_.channels;
    for (int64_t out = 0; out < c; ++out) {
      for (int64_t in = 0; in < c; ++in) {
        const float* w = weight + (out * c + in) * 9;
        float* u = filters_.data() + (Transposed ? out * c + in : in * c + out);
        float half[4][3];
        for (int k = 0; k < 3; ++k) {
          half[0][k] = w[k];
          half[1][k] = 0.5f * (w[k] + w[3 + k] + w[6 + k]);
          half[2][k] = 0.5f * (w[k] - w[3 + k] + w[6 + k]);
          half[3][k] = w[6 + k];
        }
        for (int r = 0; r < 4; ++r) {
          const float* h = half[r];
          u[(4 * r + 0) * filter_] = h[0];
          u[(4 * r + 1) * filter_] = 0.5f * (h[0] + h[1] + h[2]);
          u[(4 * r + 2) * filter_] = 0.5f * (h[0] - h[1] + h[2]);
          u[(4 * r + 3) * filter_] = h[2];
        }
      }
    }
  }

  void multiply(int64_t images, const float* from, float* to) {
    const int64_t c = im_.channels, rows = images * im_.tiles();
    for (int64_t p = 0; p < kPoints; ++p) {
      product(rows, c, c, from + p * plane_, c, 1, filters_.data() + p * filter_, to + p * plane_);
    }
  }

  // V = B^T d B of each tile d of 4 x 4 inputs.
  void take_inputs(int64_t images, const float* x) {
    const int64_t c = im_.channels, wide = im_.padded_width() * c, row = im_.width * c;
    for (int64_t i = 0; i < images; ++i) {
      for (int64_t h = 0; h < im_.height; ++h) {
        std::copy_n(x + i * image() + h * row, row, padded_.data() + (h + 1) * wide + c);
      }
      for (int64_t t = 0; t < im_.tiles(); ++t) {
        const float* d = padded_.data() + corner(t);
        float* v = tiles_.data() + (i * im_.tiles() + t) * c;
        for (int64_t k = 0; k < c; k += kLanes) take_tile(d + k, wide, v + k);
      }
    }
  }

  int64_t corner(int64_t tile) const {
    const int64_t down = tile / im_.tiles_across(), across = tile % im_.tiles_across();
    return (2 * down * im_.padded_width() + 2 * across) * im_.channels;
  }

  HOTLOOP_INLINE Lanes at(const float* p) { return *reinterpret_cast<const Lanes*>(p); }
  HOTLOOP_INLINE void put(float* p, Lanes value) { *reinterpret_cast<Lanes*>(p) = value; }

  HOTLOOP_INLINE void differences(const Lanes (&d)[4], Lanes (&t)[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }

  void take_tile(const float* d, int64_t wide, float* v) {
    const int64_t c = im_.channels;
    Lanes half[4][4];  // half[column][row of B^T d]
    for (int column = 0; column < 4; ++column) {
      Lanes lines[4];
      for (int line = 0; line < 4; ++line) lines[line] = at(d + line * wide + column * c);
      differences(lines, half[column]);
    }
    for (int line = 0; line < 4; ++line) {
      const Lanes columns[4] = {half[0][line], half[1][line], half[2][line], half[3][line]};
      Lanes t[4];
      differences(columns, t);
      for (int column = 0; column < 4; ++column) put(v + (4 * line + column) * plane_, t[column]);
    }
  }

  // y = A^T m A of each tile m of products, plus the bias.
  void give_outputs(int64_t i, const float* bias, float* y) {
    const int64_t c = im_.channels;
    for (int64_t t = 0; t < im_.tiles(); ++t) {
      const float* m = more_.data() + (i * im_.tiles() + t) * c;
      for (int64_t k = 0; k < c; k += kLanes) {
        Lanes half[2][4];
        for (int column = 0; column < 4; ++column) {
          Lanes q[4];
          for (int line = 0; line < 4; ++line) q[line] = at(m + (4 * line + column) * plane_ + k);
          half[0][column] = q[0] + q[1] + q[2];
          half[1][column] = q[1] - q[2] - q[3];
        }
        const Lanes b = at(bias + k);
        for (int line = 0; line < 2; ++line) {
          const Lanes* h = half[line];
          give(t, line, 0, k, y, h[0] + h[1] + h[2] + b);
          give(t, line, 1, k, y, h[1] - h[2] - h[3] + b);
        }
      }
    }
  }

  void give(int64_t tile, int64_t line, int64_t column, int64_t k, float* y, Lanes value) const {
    const int64_t h = 2 * (tile / im_.tiles_across()) + line, w = 2 * (tile % im_.tiles_across()) + column;
    if (h < im_.height && w < im_.width) put(y + (h * im_.width + w) * im_.channels + k, value);
  }

  // Z = A g A^T of each tile g of 2 x 2 gradients.
  void take_gradients(int64_t i, const float* g) {
    const int64_t c = im_.channels;
    for (int64_t t = 0; t < im_.tiles(); ++t) {
      float* z = more_.data() + (i * im_.tiles() + t) * c;
      for (int64_t k = 0; k < c; k += kLanes) {
        Lanes wide[2][4];
        for (int line = 0; line < 2; ++line) {
          const Lanes left = gradient(t, line, 0, k, g), right = gradient(t, line, 1, k, g);
          spread(left, right, wide[line]);
        }
        for (int column = 0; column < 4; ++column) {
          Lanes q[4];
          spread(wide[0][column], wide[1][column], q);
          for (int line = 0; line < 4; ++line) put(z + (4 * line + column) * plane_ + k, q[line]);
        }
      }
    }
  }

  HOTLOOP_INLINE void spread(Lanes first, Lanes second, Lanes (&q)[4]) {
    q[0] = first;
    q[1] = first + second;
    q[2] = first - second;
    q[3] = -second;
  }

  Lanes gradient(int64_t tile, int64_t line, int64_t column, int64_t k, const float* g) const {
    const int64_t h = 2 * (tile / im_.tiles_across()) + line, w = 2 * (tile % im_.tiles_across()) + column;
    return h < im_.height && w < im_.width ? at(g + (h * im_.width + w) * im_.channels + k) : Lanes{};
  }

  HOTLOOP_INLINE void gathered(const Lanes (&t)[4], Lanes (&d)[4]) {
    d[0] = t[0];
    d[1] = t[1] - t[2] + t[3];
    d[2] = t[1] + t[2] - t[0];
    d[3] = -t[3];
  }

  // dx: B m B^T of each tile, added where tiles overlap.
  void scatter(int64_t i, std::vector<float>& padded, float* dx) {
    const int64_t c = im_.channels, wide = im_.padded_width() * c, row = im_.width * c;
    std::fill(padded.begin(), padded.end(), 0.0f);
    for (int64_t t = 0; t < im_.tiles(); ++t) {
      const float* m = tiles_.data() + (i * im_.tiles() + t) * c;
      for (int64_t k = 0; k < c; k += kLanes) scatter_tile(m + k, padded.data() + corner(t) + k, wide);
    }
    for (int64_t h = 0; h < im_.height; ++h) std::copy_n(padded.data() + (h + 1) * wide + c, row, dx + h * row);
  }

  void scatter_tile(const float* m, float* d, int64_t wide) {
    const int64_t c = im_.channels;
    Lanes half[4][4];  // half[column][row of B m]
    for (int column = 0; column < 4; ++column) {
      Lanes lines[4];
      for (int line = 0; line < 4; ++line) lines[line] = at(m + (4 * line + column) * plane_);
      gathered(lines, half[column]);
    }
    for (int line = 0; line < 4; ++line) {
      const Lanes columns[4] = {half[0][line], half[1][line], half[2][line], half[3][line]};
      Lanes t[4];
      gathered(columns, t);
      for (int column = 0; column < 4; ++column) {
        float* place = d + line * wide + column * c;
        put(place, at(place) + t[column]);
      }
    }
  }

  // dw = G^T s G of each pair of channels; sums_ are (point, out, in).
  void give_filter_gradients(float* dweight) const {
    const int64_t c = im_.channels;
    for (int64_t pair = 0; pair < c * c; ++pair) {
      const float* s = sums_.data() + pair;
      float half[3][4];
      for (int column = 0; column < 4; ++column) {
        const float s0 = s[column * filter_], s1 = s[(4 + column) * filter_], s2 = s[(8 + column) * filter_],
                    s3 = s[(12 + column) * filter_];
        half[0][column] = s0 + 0.5f * (s1 + s2);
        half[1][column] = 0.5f * (s1 - s2);
        half[2][column] = 0.5f * (s1 + s2) + s3;
      }
      for (int line = 0; line < 3; ++line) {
        const float* h = half[line];
        float* w = dweight + pair * 9 + 3 * line;
        w[0] = h[0] + 0.5f * (h[1] + h[2]);
        w[1] = 0.5f * (h[1] - h[2]);
        w[2] = 0.5f * (h[1] + h[2]) + h[3];
      }
    }
  }

  Images im_;
  int64_t at_once_;
  // Sizes of a plane and of a filter, one line of cache more than they hold: at a power of two, all 16 points of a tile
  // would share one set of the cache.
  int64_t plane_;
  int64_t filter_;
  std::vector<float> padded_, tiles_, more_, filters_, sums_;
};

}  // namespace hotloop
