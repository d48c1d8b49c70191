# SPDX-License-Identifier: Apache-2.0
# Compiler settings shared by every target.
option(PRF_TESTS "build the tests (needs Criterion)" ON)
option(PRF_WERROR "treat warnings as errors" ON)
option(PRF_FUZZ "make the fuzz targets libFuzzer programs (needs clang): preset fuzz" OFF)
set(PRF_SANITIZE "" CACHE STRING "sanitizers to build with, as -fsanitize= takes them")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)

add_compile_definitions(_POSIX_C_SOURCE=200809L _DEFAULT_SOURCE PRF_VERSION="${PROJECT_VERSION}")

# A function a section, so that the worker carries only what it calls. No fused multiply-add where the source has none:
# a model file must come out the same, byte for byte, on every machine. Nobody asks errno about a square root, so loops of them can
# be vectors; that changes no result.
add_compile_options(-ffunction-sections -fdata-sections -ffp-contract=off -fno-math-errno)
add_link_options(-Wl,--gc-sections)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
endif()
if(PRF_SANITIZE)
  add_compile_options(-fsanitize=${PRF_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PRF_SANITIZE})
endif()

# Warnings for our own sources; generated code is compiled without. Cutting text to its buffer is what we use snprintf for, so
# gcc's format-truncation, which only speaks up when it optimises, is off; so is maybe-uninitialized, which cannot see that
# prf_fail never returns PRF_OK. The static analyser can, and looks for the same (status.h).
function(prf_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
                                           -Wvla $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
                                           $<$<C_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> $<$<BOOL:${PRF_WERROR}>:-Werror>)
endfunction()
