/// What crosses between the core and a fetch module (helios-fetch-SCHEME.so): plain C, so that the module carries its
/// own C++ runtime and its own libraries, and the core none of them.
#pragma once

#include <stddef.h>
#include <stdint.h>

extern "C" {

/// Strings are NUL-terminated and live as long as the call. Fields are only ever appended; `size` is the caller's
/// sizeof.
struct HeliosFetchRequest {
  uint32_t size;
  uint32_t allow_private;  ///< 1: addresses outside of the public internet may be connected to
  const char* url;
  const char* ca_file;  ///< PEM bundle to trust instead of the system's; "" for the system's
  uint64_t timeout_ms;  ///< for everything together; never 0
  uint64_t connect_ms;  ///< for name resolution, connecting and TLS; never 0
  uint64_t max_bytes;   ///< of content; exactly that many are allowed
  uint32_t max_redirects;
};

/// Where a module puts what it got. Both functions are called only during the call and on its thread.
struct HeliosFetchSink {
  uint32_t size;
  void* context;
  /// Content, in order. Not 0: the receiver can take no more, give up.
  int (*bytes)(void* context, const char* data, size_t length);
  /// At most once, when the call fails: the cause and what can be done about it (or ""), one line each.
  void (*error)(void* context, const char* cause, const char* remedy);
};

struct HeliosFetchModule {
  uint32_t size;
  const char* name;  ///< as in the file's name
  const char* version;
  /// 0 for success. Throws nothing. [any thread]
  int (*fetch)(const HeliosFetchRequest* request, const HeliosFetchSink* sink);
};

/// The one symbol a module exports. Its suffix is the generation of this file.
__attribute__((visibility("default"))) extern const HeliosFetchModule helios_fetch_module_v1;
}
