/// CLI11 without what <iostream> costs.
///
/// libstdc++'s <iostream> makes a program construct eight streams and their locale before main: 0.08 ms of a start of
/// 0.8. CLI11 wants only the declarations, for the default arguments of App::exit, which is not called here.
#pragma once

#include <istream>
#include <ostream>

#if defined(__GLIBCXX__)
#define _GLIBCXX_IOSTREAM 1  // the include guard of <iostream>
namespace std {
extern istream cin;
extern ostream cout, cerr, clog;
}  // namespace std
#endif

#include <CLI/CLI.hpp>
