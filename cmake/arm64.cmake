# SPDX-License-Identifier: Apache-2.0
# Toolchain file: builds for 64-bit ARM Linux on another machine, with Debian's cross compiler and the :arm64 packages beside the machine's
# own (deploy/setup --arm64 installs both; docs/howto/cross-build.md). Programs that the build itself runs, run in qemu.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER ${CMAKE_LIBRARY_ARCHITECTURE}-gcc)
find_program(QEMU_AARCH64 NAMES qemu-aarch64-static qemu-aarch64)
if(NOT QEMU_AARCH64)
  message(FATAL_ERROR "no qemu-aarch64-static, which runs what the build runs: run deploy/setup --arm64")
endif()
set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_AARCH64})
# Only what was made for ARM, and what is for every machine: pkg-config would fall back to this machine's own libraries.
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig:/usr/share/pkgconfig)
