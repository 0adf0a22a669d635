// A loaded model: a photo or a frame in, a prediction out. One thread at a time may use a classifier; give every thread
// its own. OpenVINO runs the graph on the processor, with the settings of Python's engine, so that both say the same.
#pragma once

#include <openvino/openvino.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "leansort/decision.hpp"
#include "leansort/errors.hpp"
#include "leansort/preprocess.hpp"
#include "leansort/settings.hpp"

namespace leansort {

constexpr std::uintmax_t most_bytes = 1u << 30;  // of a file that is read

// The whole content of a regular file: a pipe might never end. Throws UnreadableImage.
inline std::vector<std::uint8_t> read_file(const std::filesystem::path& path) {
  std::error_code fault;
  const auto status = std::filesystem::status(path, fault);
  if (!std::filesystem::exists(status)) throw UnreadableImage("is not there");
  if (!std::filesystem::is_regular_file(status)) throw UnreadableImage("is no file");
  const std::uintmax_t length = std::filesystem::file_size(path, fault);
  if (fault) throw UnreadableImage("cannot be read (" + fault.message() + ")");
  if (length > most_bytes) throw UnreadableImage("is larger than 1 GiB");
  std::vector<std::uint8_t> data(static_cast<std::size_t>(length));
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(data.data()), static_cast<std::streamsize>(length));
  if (!file) throw UnreadableImage("cannot be read");
  return data;
}

class Classifier {
 public:
  // Load the model of a folder. `threads`: of OpenVINO, for one image; more than one helps large images only.
  // Throws Error: a file is missing or not what was written, or OpenVINO cannot run the graph.
  explicit Classifier(const std::filesystem::path& folder, int threads = 1)
      : settings_(Settings::read(folder / "settings.txt")) {
    if (threads < 1 || threads > 256) throw Error("threads: got " + std::to_string(threads) + ", allowed: 1 to 256");
    for (const GraphFile& file : settings_.files) require_unchanged(folder, file);
    try {
      load(folder / settings_.files.front().name, threads);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      throw Error("model: OpenVINO cannot load the graph of " + folder.string() + ": " + first_line(error.what()));
    }
  }

  const Settings& settings() const { return settings_; }

  // Classify a JPEG file. Throws UnreadableImage.
  Prediction predict(const std::filesystem::path& jpeg_file) {
    const std::vector<std::uint8_t> data = read_file(jpeg_file);
    return predict(Bytes{data.data(), data.size()});
  }

  // Classify the bytes of a JPEG. Throws UnreadableImage.
  Prediction predict(Bytes jpeg_file) { return run(pixels(jpeg_file)); }

  // Classify a frame of a camera. Throws Error: it has no pixels.
  Prediction predict(const Frame& frame) { return run(settings_.preprocess(frame)); }

  // The network's input for a JPEG: RGB, size x size.
  Image pixels(Bytes jpeg_file) const { return settings_.preprocess(jpeg_file); }

  // Classify what `pixels` or a `Preprocess` gave.
  Prediction run(const Image& pixels) {
    ov::Tensor input = request_.get_input_tensor();
    if (pixels.data.size() != input.get_byte_size())
      throw Error("pixels: got " + std::to_string(pixels.width) + " x " + std::to_string(pixels.height) + ", need " +
                  std::to_string(settings_.preprocess.size) + " a side");
    std::memcpy(input.data<std::uint8_t>(), pixels.data.data(), pixels.data.size());
    try {
      request_.infer();
    } catch (const std::exception& error) {
      throw Error("model: OpenVINO cannot run the graph: " + first_line(error.what()));
    }
    const ov::Tensor output = request_.get_output_tensor(0);
    const float* logits = output.data<float>();
    const double distance = outputs_ > 1 ? static_cast<double>(request_.get_output_tensor(1).data<float>()[0])
                                         : std::numeric_limits<double>::quiet_NaN();
    return decision::decide(settings_, {logits, logits + output.get_size()}, distance);
  }

 private:
  void load(const std::filesystem::path& graph, int threads) {
    std::shared_ptr<ov::Model> model = core_.read_model(graph.string());
    const auto size = static_cast<std::size_t>(settings_.preprocess.size);
    if (model->inputs().size() != 1 || model->input().get_element_type() != ov::element::u8)
      throw Error("model: " + graph.string() + " does not take one image of bytes");
    model->reshape({{1, settings_.preprocess.size, settings_.preprocess.size, 3}});
    ov::CompiledModel compiled = core_.compile_model(
        model, "CPU", ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY), ov::num_streams(1),
        ov::inference_num_threads(threads), ov::hint::enable_cpu_pinning(false),
        ov::hint::inference_precision(ov::element::f32));
    outputs_ = compiled.outputs().size();
    const std::size_t needed = settings_.novelty && settings_.novelty->method == "mahalanobis" ? 2 : 1;
    const bool fits = outputs_ >= needed && compiled.output(0).get_shape() == ov::Shape{1, settings_.labels.size()};
    for (const auto& output : compiled.outputs())
      if (!fits || output.get_element_type() != ov::element::f32 || ov::shape_size(output.get_shape()) < 1)
        throw Error("model: the outputs of " + graph.string() + " are not those of settings.txt");
    if (compiled.input().get_shape() != ov::Shape{1, size, size, 3})
      throw Error("model: the input of " + graph.string() + " is not that of settings.txt");
    request_ = compiled.create_infer_request();
  }

  static void require_unchanged(const std::filesystem::path& folder, const GraphFile& file) {
    const std::filesystem::path path = folder / file.name;
    std::vector<std::uint8_t> data;
    try {
      data = read_file(path);
    } catch (const UnreadableImage& error) {
      throw Error("model: " + path.string() + " " + error.what());
    }
    if (data.size() != file.length || crc32(data.data(), data.size()) != file.checksum)
      throw Error("model: " + path.string() + " is damaged or was changed (it does not match settings.txt)");
  }

  static std::string first_line(const std::string& text) {
    std::string line;
    for (const char letter : text) line += letter == '\n' ? ' ' : letter;
    return line.substr(0, 300);
  }

  Settings settings_;
  ov::Core core_;
  ov::InferRequest request_;
  std::size_t outputs_ = 0;
};

}  // namespace leansort
