// Reading the ELF symbol table of the running program. Only when something crashed or hung.
#include "harness/posix/symbols.hpp"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <vector>

#include "loops/os/fd.hpp"

namespace loopscope::symbols {
namespace {

struct Function {
  std::uintptr_t begin = 0, size = 0;
  std::string name;
};

/// The whole file, mapped for reading.
class Image {
 public:
  Image() {
    const os::UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return;
    const auto size = static_cast<std::size_t>(status.st_size);
    void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (mapped == MAP_FAILED) return;
    data_ = static_cast<const char*>(mapped);
    size_ = size;
  }
  ~Image() {
    if (data_ != nullptr) ::munmap(const_cast<char*>(data_), size_);
  }
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  /// The i-th of the things that begin at `offset`; false when it would lie outside the file.
  template <class T>
  bool read(std::uint64_t offset, std::uint64_t index, T& thing) const {
    const std::uint64_t at = offset + index * sizeof(T);
    if (data_ == nullptr || at + sizeof(T) > size_) return false;
    std::memcpy(&thing, data_ + static_cast<std::size_t>(at), sizeof(T));
    return true;
  }
  std::string text(std::uint64_t offset) const {
    if (offset >= size_) return {};
    const auto at = static_cast<std::size_t>(offset);
    return {data_ + at, ::strnlen(data_ + at, size_ - at)};
  }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

void add_functions(const Image& image, const ElfW(Shdr) & table, const ElfW(Shdr) & names,
                   std::vector<Function>& functions) {
  ElfW(Sym) symbol;
  for (std::uint64_t i = 0; i < table.sh_size / sizeof symbol; ++i) {
    if (!image.read(table.sh_offset, i, symbol)) return;
    // The type sits in the low four bits for both sizes of ELF.
    if ((symbol.st_info & 0xF) != STT_FUNC || symbol.st_value == 0) continue;
    functions.push_back({static_cast<std::uintptr_t>(symbol.st_value),
                         static_cast<std::uintptr_t>(symbol.st_size),
                         image.text(names.sh_offset + symbol.st_name)});
  }
}

struct Program {
  std::vector<Function> functions;  // by address
  std::uintptr_t linked_at = 0;
};

Program load() {
  Program program;
  std::vector<Function>& functions = program.functions;
  const Image image;
  ElfW(Ehdr) header;
  if (!image.read(0, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return program;
  }
  ElfW(Phdr) segment;
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    if (!image.read(header.e_phoff, i, segment)) break;
    if (segment.p_type != PT_LOAD) continue;  // These are in the order of their addresses.
    program.linked_at = static_cast<std::uintptr_t>(segment.p_vaddr - segment.p_offset);
    break;
  }
  ElfW(Shdr) table, names;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    if (!image.read(header.e_shoff, i, table)) break;
    if (table.sh_type != SHT_SYMTAB) continue;
    if (image.read(header.e_shoff, table.sh_link, names)) {
      add_functions(image, table, names, functions);
    }
  }
  std::sort(functions.begin(), functions.end(),
            [](const Function& a, const Function& b) { return a.begin < b.begin; });
  return program;
}

const Program& this_program() {
  static const Program program = load();
  return program;
}

}  // namespace

std::string name_at(std::uintptr_t address) {
  const std::vector<Function>& functions = this_program().functions;
  auto next = std::upper_bound(functions.begin(), functions.end(), address,
                               [](std::uintptr_t at, const Function& f) { return at < f.begin; });
  if (next == functions.begin()) return {};
  const Function& function = *--next;
  if (address >= function.begin + std::max<std::uintptr_t>(function.size, 1)) return {};
  return function.name;
}

std::uintptr_t linked_at() { return this_program().linked_at; }

}  // namespace loopscope::symbols
