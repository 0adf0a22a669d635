// JPEG to RGB by libjpeg-turbo, with the settings that OpenCV has: the accurate inverse cosine transform, fancy
// upsampling of colours, warnings passed over, EXIF orientation obeyed.
#pragma once

#include <turbojpeg.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "leansort/errors.hpp"
#include "leansort/exif.hpp"
#include "leansort/image.hpp"
#include "leansort/jpeg_structure.hpp"

namespace leansort {

// Decodes one file. A new one for each: libjpeg keeps Huffman tables from one file to the next, so that what a damaged
// file leaves behind would spoil whole ones.
class JpegDecoder {
 public:
  JpegDecoder() : handle_(tjInitDecompress()) {
    if (!handle_) throw Error("libjpeg-turbo cannot be started");
  }

  // Decode to RGB, stood upright. `reduction`: 1, 2, 4 or 8, of the sides. Throws UnreadableImage.
  Image decode(Bytes file, const JpegHeader& header, int reduction) {
    const auto length = static_cast<unsigned long>(file.length);
    int width = 0, height = 0, subsampling = 0, colours = 0;
    // What it returns does not matter: strange samplings and warnings are errors to it, yet it has told the size.
    tjDecompressHeader3(handle_.get(), file.data, length, &width, &height, &subsampling, &colours);
    if (width < 1 || height < 1) throw UnreadableImage(reason());
    if (static_cast<std::uint64_t>(width) * static_cast<std::uint64_t>(height) > jpeg::most_pixels)
      throw UnreadableImage("is damaged: it has two sizes");
    const tjscalingfactor scale{1, reduction};
    Image image;
    image.width = TJSCALED(width, scale);
    image.height = TJSCALED(height, scale);
    const bool cmyk = header.components == 4;
    const std::size_t bytes = cmyk ? 4 : 3;
    const auto count = static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height);
    std::vector<std::uint8_t> pixels(count * bytes);
    const int failed = tjDecompress2(handle_.get(), file.data, length, pixels.data(), image.width, 0, image.height,
                                     cmyk ? TJPF_CMYK : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (failed && tjGetErrorCode(handle_.get()) != TJERR_WARNING) throw UnreadableImage(reason());
    image.data = cmyk ? rgb_of_cmyk(pixels) : std::move(pixels);
    return exif::upright(std::move(image), header.orientation);
  }

 private:
  struct Destroy {
    void operator()(void* handle) const { tjDestroy(handle); }
  };

  std::string reason() const { return std::string("cannot be decoded (") + tjGetErrorStr2(handle_.get()) + ")"; }

  // OpenCV's way, which takes the numbers for inverted, as those of Adobe's files are.
  static std::vector<std::uint8_t> rgb_of_cmyk(const std::vector<std::uint8_t>& cmyk) {
    std::vector<std::uint8_t> rgb(cmyk.size() / 4 * 3);
    for (std::size_t pixel = 0; pixel < cmyk.size() / 4; ++pixel) {
      const int black = cmyk[4 * pixel + 3];
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const int ink = cmyk[4 * pixel + channel];
        rgb[3 * pixel + channel] = static_cast<std::uint8_t>(black - ((255 - ink) * black >> 8));
      }
    }
    return rgb;
  }

  std::unique_ptr<void, Destroy> handle_;
};

}  // namespace leansort
