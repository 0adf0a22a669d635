"""The files of a graph in C++: the bytes of the `.tflite`, aligned, and all that a program around them must know."""

from __future__ import annotations

from collections.abc import Sequence
from string import Template

from leansort.core.bundle import Bundle
from leansort.core.errors import UserError
from leansort.core.files.bundle_decisions import DISTANCE, NoveltyScale
from leansort.core.graphs.litert import flatbuffer
from leansort.core.graphs.litert.tflite_operators import NAMES

C = "c"  # the word that asks for it where a format is named
HEADER, SOURCE = "leansort_model.h", "leansort_model.cc"
_LINE = 16  # bytes
_OF_FLOATS = "CAST"  # a kind that graphs with pixels for floats have, and the interpreter there lacks for pixels
_HEADER = Template("""\
// $name, for LiteRT for Microcontrollers; written by leansort. Bundle $digest.
//
//   #include "tensorflow/lite/micro/micro_interpreter.h"
//   #include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
//   alignas(16) static uint8_t arena[leansort_model::kArenaBytes];
//   static tflite::MicroMutableOpResolver<leansort_model::kOperators> resolver;
//   leansort_model::AddOperators(resolver);
//   static tflite::MicroInterpreter interpreter(
//       tflite::GetModel(leansort_model::kGraph), resolver, arena, leansort_model::kArenaBytes);
//   interpreter.AllocateTensors();
//   // interpreter.input(0)->data.uint8: kSide x kSide pixels of red, green and blue, row by row
//   interpreter.Invoke();
//   // interpreter.output(0)->data.f: logits of kLabels; a softmax of them over kTemperature is probabilities
#ifndef LEANSORT_MODEL_H_
#define LEANSORT_MODEL_H_

#include <cstddef>
#include <cstdint>

namespace leansort_model {

extern const unsigned char kGraph[];  // aligned to 16 bytes
extern const std::size_t kGraphBytes;
extern const char* const kLabels[];
constexpr int kClasses = $classes;
constexpr int kSide = $side;  // of the image, in pixels
// How an object's photo comes to that size: "$fit", where `pad` keeps its shape and fills the rest with kFill, `crop`
// keeps it and cuts off what is over, and `stretch` does not keep it.
constexpr int kFill = $fill;
constexpr float kTemperature = ${temperature}f;
constexpr float kRejectBelow = ${reject}f;  // predictions less probable than this are not accepted
$novelty

// Measured on a machine of 64 bits, whose pointers take twice the room of a microcontroller's.
constexpr std::size_t kArenaBytes = $arena;

constexpr int kOperators = $operators;

template <typename Resolver>
void AddOperators(Resolver& resolver) {
$added
}

}  // namespace leansort_model

#endif  // LEANSORT_MODEL_H_
""")
_SOURCE = Template("""\
#include "$header"

namespace leansort_model {

alignas(16) const unsigned char kGraph[] = {
$bytes
};
const std::size_t kGraphBytes = sizeof(kGraph);
const char* const kLabels[] = {$labels};

}  // namespace leansort_model
""")


def operators_of(bundle: Bundle) -> list[str]:
    """Kinds of layers of a bundle in LiteRT's format, each once, in order of their names."""
    return sorted(
        NAMES[code.code] for code in {code.code: code for code in flatbuffer.read(bundle.graph).codes}.values()
    )


def require_convertible(bundle: Bundle, name: str) -> None:
    """Refuse a bundle that no array is made of.

    Args:
        bundle: a sound one.
        name: how it was named; begins the line that refuses it.

    Raises:
        UserError: it is in another format, or its pixels become floats.
    """
    if bundle.graph_format != "litert" or bundle.stages:
        kind = "is a cascade" if bundle.stages else f"is in the {bundle.format} format"
        raise UserError(f"{name} {kind}; an array of C is made of one in the litert format, which export makes of onnx")
    if _OF_FLOATS in operators_of(bundle):
        raise UserError(
            f"{name} reads its pixels as floats; an array of C needs int8 from the first layer on, which quantize with "
            "engine litert makes of a network as a whole"
        )


def array_files(bundle: Bundle, arena: int) -> dict[str, bytes]:
    """The header and the source by name.

    Args:
        bundle: in LiteRT's format.
        arena: bytes of memory that it needs.
    """
    meta, kinds = bundle.meta, operators_of(bundle)
    header = _HEADER.substitute(
        name=meta.name, digest=bundle.digest, classes=len(meta.labels), side=meta.preprocess.size,
        fit=meta.preprocess.fit, fill=meta.preprocess.fill, novelty=_novelty(meta.novelty),
        temperature=_number(meta.temperature), reject=_number(meta.reject_below), arena=arena, operators=len(kinds),
        added="\n".join(f"  resolver.{method_of(kind)}();" for kind in kinds),
    )  # fmt: skip
    rows = (bundle.graph[at : at + _LINE] for at in range(0, len(bundle.graph), _LINE))
    lines = ("    " + " ".join(f"0x{byte:02x}," for byte in row) for row in rows)
    source = _SOURCE.substitute(header=HEADER, bytes="\n".join(lines), labels=_texts(meta.labels))
    return {HEADER: header.encode(), SOURCE: source.encode(), "model.tflite": bundle.graph}


def _novelty(scale: NoveltyScale | None) -> str:
    """What tells that an object is unknown, as constants."""
    if scale is None:
        return "// This bundle does not tell how novel an object is."
    source = "output(1)->data.f[0]" if scale.method == DISTANCE else f"the score `{scale.method}` of the logits"
    return (
        f"// Novelty is (score - kNoveltyZero) / kNoveltySpan, where the score is {source}; above 1 an object is\n"
        f"// unknown{', and is not accepted' if scale.reject else ''}.\n"
        f"constexpr float kNoveltyZero = {_number(scale.zero)}f;\n"
        f"constexpr float kNoveltySpan = {_number(scale.span)}f;\n"
        f"constexpr bool kNoveltyReject = {str(scale.reject).lower()};"
    )


def method_of(kind: str) -> str:
    """How `MicroMutableOpResolver` calls a kind of layers: `AddConv2D` for CONV_2D."""
    return "Add" + kind.title().replace("_", "")


def _number(value: float) -> str:
    return repr(float(value))


def _texts(labels: Sequence[str]) -> str:
    """String literals: every byte beyond ASCII by its octal number, which ends after three digits."""
    texts = []
    for label in labels:
        plain = "".join(
            chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}" for byte in label.encode()
        )
        texts.append(f'"{plain}"')
    return ", ".join(texts)
