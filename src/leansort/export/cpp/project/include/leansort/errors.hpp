// What is thrown, each with one line for a person.
#pragma once

#include <stdexcept>

namespace leansort {

// The model's folder, a frame or an argument cannot be used.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The bytes are no whole JPEG that can be decoded; the text goes on after the photo's name: "is cut short (...)".
struct UnreadableImage : Error {
  using Error::Error;
};

}  // namespace leansort
