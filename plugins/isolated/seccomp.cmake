# Seccomp filters, used by the isolated runner and by the tool that compiles the shipped policies. libseccomp's only
# home; linked statically, because the shared one would add to every start.
include_guard(GLOBAL)
find_library(HELIOS_SECCOMP_STATIC libseccomp.a REQUIRED)
set(seccomp_dir ${CMAKE_CURRENT_LIST_DIR})
helios_library(helios_seccomp ${seccomp_dir}/bpf.cc ${seccomp_dir}/seccomp_hardening.cc ${seccomp_dir}/seccomp_profile.cc
  ${seccomp_dir}/seccomp_program.cc ${seccomp_dir}/seccomp_store.cc
  LIBS helios_sys helios_digest)
target_link_libraries(helios_seccomp PRIVATE nlohmann_json::nlohmann_json ${HELIOS_SECCOMP_STATIC})
