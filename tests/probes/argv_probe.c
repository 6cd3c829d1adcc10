// Prints its argv, argv[0] included: one line an argument, in hex, "-" for an empty one.
#include <stdio.h>

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) {
    if (*argv[i] == '\0') printf("-");
    for (const char* c = argv[i]; *c; ++c) printf("%02x", (unsigned char)*c);
    printf("\n");
  }
  return 0;
}
