// Trash sorting in C++17, from a photo or a camera's frame to a label: what Python's `leansort.Classifier` does.
//
//     leansort::Classifier classifier("model");
//     leansort::Prediction prediction = classifier.predict("photo.jpg");
//     if (prediction.accepted) std::cout << prediction.label << " " << prediction.probability << "\n";
//
// Each part can be included on its own; begin reading with classifier.hpp. Pixels alone (preprocess.hpp and what it
// includes) need TurboJPEG; classifier.hpp needs OpenVINO as well.
#pragma once

#include "leansort/classifier.hpp"
#include "leansort/preprocess.hpp"
#include "leansort/settings.hpp"
