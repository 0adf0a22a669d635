// From a photo or a frame to the network's input, pixel for pixel as Python's `leansort.core.preprocess` with OpenCV.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "leansort/errors.hpp"
#include "leansort/image.hpp"
#include "leansort/jpeg.hpp"
#include "leansort/jpeg_structure.hpp"
#include "leansort/resize.hpp"

namespace leansort {

enum class Fit { pad, stretch, crop };  // keep the aspect ratio and fill the rest; do not keep it; cut the centre
enum class Order { rgb, bgr };          // of a frame's bytes

// A frame of a camera: three bytes a pixel. The memory stays the caller's.
struct Frame {
  const std::uint8_t* data = nullptr;
  int width = 0;
  int height = 0;
  Order order = Order::rgb;
  std::size_t stride = 0;  // bytes from one row to the next; 0: rows follow each other without a gap
};

struct Preprocess {
  int size = 128;  // side of the square input in pixels
  Fit fit = Fit::pad;
  int fill = 114;  // grey level of the padding

  // RGB of size x size. Throws UnreadableImage.
  Image operator()(Bytes jpeg_file) const {
    const JpegHeader header = jpeg::read_header(jpeg_file);
    Image image = JpegDecoder().decode(jpeg_file, header, reduction(header.width, header.height));
    if (image.width == size && image.height == size) return image;
    return fitted(image.view());
  }

  // RGB of size x size. Throws Error: the frame has no pixels.
  Image operator()(const Frame& frame) const {
    const std::size_t least = static_cast<std::size_t>(std::max(0, frame.width)) * 3;
    const std::size_t stride = frame.stride ? frame.stride : least;
    if (frame.data == nullptr) throw Error("frame: there are no pixels (a null pointer)");
    if (frame.width < 1 || frame.height < 1 || stride < least)
      throw Error("frame: got " + std::to_string(frame.width) + " x " + std::to_string(frame.height) + " pixels, " +
                  std::to_string(stride) + " bytes a row; need at least one pixel, and rows of at least 3 bytes each");
    Image image = fitted({frame.data, frame.width, frame.height, stride});
    if (frame.order == Order::bgr)
      for (std::size_t at = 0; at < image.data.size(); at += 3) std::swap(image.data[at], image.data[at + 2]);
    return image;
  }

  // By how much a JPEG's sides are reduced while it is decoded: it stays at least as large as the input.
  int reduction(int width, int height) const {
    const int side = fit == Fit::pad ? std::max(width, height) : std::min(width, height);
    for (const int factor : {8, 4, 2})
      if (side >= factor * size) return factor;
    return 1;
  }

 private:
  static constexpr double near_enough = 1.25;  // up to here linear interpolation aliases no more than area does

  Image fitted(View image) const {
    if (fit == Fit::stretch) return resized(image, size, size);
    if (fit == Fit::pad) return padded(image);
    const int side = std::min(image.width, image.height);
    return resized(image.part((image.width - side) / 2, (image.height - side) / 2, side, side), size, size);
  }

  Image padded(View image) const {
    const double scale = static_cast<double>(size) / std::max(image.width, image.height);
    const int wide = std::max(1, static_cast<int>(std::nearbyint(image.width * scale)));  // halves to the even one
    const int high = std::max(1, static_cast<int>(std::nearbyint(image.height * scale)));
    Image inner = resized(image, wide, high);
    if (wide == size && high == size) return inner;
    Image out(size, size);
    std::fill(out.data.begin(), out.data.end(), static_cast<std::uint8_t>(fill));
    const int left = (size - wide) / 2, top = (size - high) / 2;  // an odd rest goes to the bottom and right
    for (int y = 0; y < high; ++y)
      std::copy_n(inner.row(y), static_cast<std::size_t>(wide) * 3, out.row(top + y) + 3 * left);
    return out;
  }

  static Image resized(View image, int width, int height) {
    if (image.width == width && image.height == height) {
      Image copy(width, height);
      for (int y = 0; y < height; ++y) std::copy_n(image.row(y), static_cast<std::size_t>(width) * 3, copy.row(y));
      return copy;
    }
    const double across = static_cast<double>(image.width) / width, down = static_cast<double>(image.height) / height;
    return resize(image, width, height, std::max(across, down) > near_enough);
  }
};

}  // namespace leansort
