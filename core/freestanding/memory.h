/// What the compiler may call for plain loops and copies in a program without a C library. Definitions: include it once
/// per program.
#pragma once

extern "C" {
void* memset(void* to, int value, unsigned long n) {
  auto* p = static_cast<volatile unsigned char*>(to);
  for (unsigned long i = 0; i < n; ++i) p[i] = static_cast<unsigned char>(value);
  return to;
}
void* memcpy(void* to, const void* from, unsigned long n) {
  auto* d = static_cast<volatile unsigned char*>(to);
  const auto* s = static_cast<const unsigned char*>(from);
  for (unsigned long i = 0; i < n; ++i) d[i] = s[i];
  return to;
}
}
