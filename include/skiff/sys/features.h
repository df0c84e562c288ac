// What this kernel and host can do; for `skiff check` and for choices at start.
#pragma once

#include <string>
#include <vector>

namespace skiff::sys {

struct KernelVersion {
  int major = 0, minor = 0;
};
// From "5.10.0-8-amd64"; zeros when it is not understood.
KernelVersion parse_kernel_version(const std::string& release);
KernelVersion kernel_version();
// A file system the kernel knows ("overlay"), loaded as a module or built in.
bool has_file_system(const std::string& name);
bool has_namespace(const std::string& kind);
// The path of a program in PATH; empty when it is not there.
std::string find_program(const std::string& name);
// The machine in OCI words: "amd64", "arm64", "arm" …, and its variant ("v8", "v7", or empty).
std::string machine_architecture();
std::string machine_variant();

}  // namespace skiff::sys
