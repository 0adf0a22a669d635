// Resizing with OpenCV's arithmetic, so that every pixel is the one that OpenCV makes: area means in float32, summed in
// OpenCV's order, or linear interpolation in integers of 11 bits. Compile with -ffp-contract=off, as CMakeLists.txt
// does: a multiplication and an addition that are fused into one round once where OpenCV rounds twice.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "leansort/image.hpp"

namespace leansort::resizing {

constexpr int channels = 3;

// To the nearest, halves to the even one, for what lies between 0 and 255: a float of 2^23 or more has no digits behind
// the point, so the addition itself rounds; unlike a call of `lrint`, compilers do it for several numbers at once.
inline std::uint8_t rounded(float value) {
  const float whole = value + 8388608.0f;
  std::uint32_t bits;
  std::memcpy(&bits, &whole, sizeof bits);
  return static_cast<std::uint8_t>(std::min(bits - 0x4B000000u, 255u));
}

// Which pixels of the source one of the result is made of, along one axis: consecutive ones.
struct Taps {
  int first;
  std::vector<float> weights;
};

// Every pixel counts by the part of the result's pixel that it covers.
inline std::vector<Taps> covering(int size, int wanted, double scale) {
  std::vector<Taps> found;
  for (int to = 0; to < wanted; ++to) {
    const double low = to * scale, high = low + scale;
    const double width = std::min(scale, size - low);
    const int last = std::min(static_cast<int>(std::floor(high)), size - 1);
    const int first = std::min(static_cast<int>(std::ceil(low)), last);
    Taps taps{first, {}};
    if (first - low > 1e-3) {
      taps.first = first - 1;
      taps.weights.push_back(static_cast<float>((first - low) / width));
    }
    taps.weights.insert(taps.weights.end(), static_cast<std::size_t>(last - first), static_cast<float>(1.0 / width));
    if (high - last > 1e-3)
      taps.weights.push_back(static_cast<float>(std::min(std::min(high - last, 1.0), width) / width));
    found.push_back(std::move(taps));
  }
  return found;
}

// Means over whole numbers of pixels: sums in integers, one multiplication; of four pixels, a shift.
inline Image block_means(View source, int width, int height, int across, int down) {
  Image result(width, height);
  const float share = 1.0f / static_cast<float>(across * down);
  for (int y = 0; y < height; ++y) {
    std::uint8_t* out = result.row(y);
    for (int x = 0; x < width * channels; ++x) {
      const std::size_t at = static_cast<std::size_t>(x / channels * across * channels + x % channels);
      int sum = 0;
      for (int dy = 0; dy < down; ++dy) {
        const std::uint8_t* row = source.row(y * down + dy) + at;
        for (int dx = 0; dx < across; ++dx) sum += row[dx * channels];
      }
      out[x] = across == 2 && down == 2 ? static_cast<std::uint8_t>((sum + 2) >> 2)
                                        : rounded(static_cast<float>(sum) * share);
    }
  }
  return result;
}

// One row of the source, each of its channels as a float, to the means of its columns.
inline void mean_columns(const float* pixels, const std::vector<Taps>& columns, float* out) {
  for (const Taps& taps : columns) {
    float red = 0, green = 0, blue = 0;
    const float* pixel = pixels + static_cast<std::size_t>(taps.first) * channels;
    for (const float weight : taps.weights) {
      red += pixel[0] * weight;
      green += pixel[1] * weight;
      blue += pixel[2] * weight;
      pixel += channels;
    }
    out[0] = red;
    out[1] = green;
    out[2] = blue;
    out += channels;
  }
}

inline Image area_means(View source, int width, int height, double scale_x, double scale_y) {
  Image result(width, height);
  const std::vector<Taps> columns = covering(source.width, width, scale_x);
  const std::vector<Taps> rows = covering(source.height, height, scale_y);
  const auto length = static_cast<std::size_t>(width) * channels;
  std::vector<float> pixels(static_cast<std::size_t>(source.width) * channels), line(length), sum(length);
  int held = -1;  // the row of the source whose means `line` has: two rows of the result may share one
  for (int y = 0; y < height; ++y) {
    std::fill(sum.begin(), sum.end(), 0.0f);
    int from = rows[static_cast<std::size_t>(y)].first;
    for (const float weight : rows[static_cast<std::size_t>(y)].weights) {
      if (held != from) {
        std::copy_n(source.row(from), pixels.size(), pixels.begin());
        mean_columns(pixels.data(), columns, line.data());
        held = from;
      }
      for (std::size_t x = 0; x < length; ++x) sum[x] += weight * line[x];
      ++from;
    }
    std::uint8_t* out = result.row(y);
    for (std::size_t x = 0; x < length; ++x) out[x] = rounded(sum[x]);
  }
  return result;
}

// The two source pixels between which one of the result lies, and their weights of 11 bits.
struct Between {
  int first;
  int weights[2];
};

inline int eleven_bits(float weight) { return static_cast<int>(std::lrint(weight * 2048.0f)); }

// `squares`: pixels as squares, blended only where an edge falls inside; else as points at their centres.
inline std::vector<Between> neighbours(int size, int wanted, double scale, bool squares, bool clamped) {
  std::vector<Between> found;
  const double grows = static_cast<double>(wanted) / size;
  for (int to = 0; to < wanted; ++to) {
    float share = static_cast<float>((to + 0.5) * scale - 0.5);
    int first = static_cast<int>(std::floor(share));
    if (squares) {
      first = static_cast<int>(std::floor(to * scale));
      share = static_cast<float>((to + 1) - (first + 1) * grows);
      share = share <= 0 ? 0.0f : share - std::floor(share);
    } else {
      share -= static_cast<float>(first);
    }
    if (clamped && first < 0) first = 0, share = 0.0f;
    if (clamped && first >= size - 1) first = size - 1, share = 0.0f;
    found.push_back({first, {eleven_bits(1.0f - share), eleven_bits(share)}});
  }
  return found;
}

inline Image interpolated(View source, int width, int height, double scale_x, double scale_y, bool squares) {
  Image result(width, height);
  const std::vector<Between> columns = neighbours(source.width, width, scale_x, squares, true);
  const std::vector<Between> rows = neighbours(source.height, height, scale_y, squares, false);
  const auto length = static_cast<std::size_t>(width) * channels;
  std::vector<int> lines[2] = {std::vector<int>(length), std::vector<int>(length)};
  int held[2] = {-1, -1};
  const auto fill = [&](int at, int y) {
    if (held[at] == y) return;
    if (held[1 - at] == y) {
      lines[at] = lines[1 - at];
    } else {
      const std::uint8_t* pixels = source.row(y);
      for (std::size_t x = 0; x < columns.size(); ++x) {
        const std::size_t from = static_cast<std::size_t>(columns[x].first) * channels;
        const std::size_t next = columns[x].first + 1 < source.width ? from + channels : from;
        for (std::size_t channel = 0; channel < channels; ++channel)
          lines[at][x * channels + channel] =
              pixels[from + channel] * columns[x].weights[0] + pixels[next + channel] * columns[x].weights[1];
      }
    }
    held[at] = y;
  };
  for (int y = 0; y < height; ++y) {
    const Between& between = rows[static_cast<std::size_t>(y)];
    const int upper = std::clamp(between.first, 0, source.height - 1);
    const int lower = std::clamp(between.first + 1, 0, source.height - 1);
    if (held[1] == upper) std::swap(lines[0], lines[1]), std::swap(held[0], held[1]);
    fill(0, upper);
    fill(1, lower);
    std::uint8_t* out = result.row(y);
    for (std::size_t x = 0; x < length; ++x) {
      const int above = (between.weights[0] * (lines[0][x] >> 4)) >> 16;
      const int below = (between.weights[1] * (lines[1][x] >> 4)) >> 16;
      out[x] = static_cast<std::uint8_t>(std::clamp((above + below + 2) >> 2, 0, 255));
    }
  }
  return result;
}

}  // namespace leansort::resizing

namespace leansort {

// Resize to width x height. `area`: means over areas where both sides shrink; else linear interpolation.
inline Image resize(View source, int width, int height, bool area) {
  using namespace resizing;
  const double scale_x = 1.0 / (static_cast<double>(width) / source.width);
  const double scale_y = 1.0 / (static_cast<double>(height) / source.height);
  const int across = static_cast<int>(std::lrint(scale_x)), down = static_cast<int>(std::lrint(scale_y));
  const bool whole = std::abs(scale_x - across) < DBL_EPSILON && std::abs(scale_y - down) < DBL_EPSILON;
  const bool shrinks = scale_x >= 1 && scale_y >= 1;
  if (!area && whole && across == 2 && down == 2) area = true;
  if (!area || !shrinks) return interpolated(source, width, height, scale_x, scale_y, area);
  if (whole) return block_means(source, width, height, across, down);
  return area_means(source, width, height, scale_x, scale_y);
}

}  // namespace leansort
