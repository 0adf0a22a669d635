// The address sanitizer ends a program that loads a library with RTLD_DEEPBIND, as OpenVINO's thread library does. This
// `dlopen` goes before its own and leaves the flag out; it is part of programs that are built with LEANSORT_SANITIZE.
#include <dlfcn.h>

extern "C" void* dlopen(const char* file, int mode) {
  using Open = void* (*)(const char*, int);
  static const Open next = reinterpret_cast<Open>(dlsym(RTLD_NEXT, "dlopen"));
  return next(file, mode & ~RTLD_DEEPBIND);
}
