// The io_uring interface in numbers: the build host's <linux/io_uring.h> may be older than the
// kernel that is asked, so this is the only place that spells them.
// Source: man 2 io_uring_setup, io_uring_enter, io_uring_register; linux/io_uring.h of Linux 6.19.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

namespace loopscope::probes::abi {

/// What a request asks for, in the order of the kernel's numbers.
enum class Op : std::uint8_t {
  nop,
  readv,
  writev,
  fsync,
  read_fixed,
  write_fixed,
  poll_add,
  poll_remove,
  sync_file_range,
  sendmsg,
  recvmsg,
  timeout,
  timeout_remove,
  accept,
  async_cancel,
  link_timeout,
  connect,
  fallocate,
  openat,
  close,
  files_update,
  statx,
  read,
  write,
  fadvise,
  madvise,
  send,
  recv,
  openat2,
  epoll_ctl,
  splice,
  provide_buffers,
  remove_buffers,
  tee,
  shutdown,
  renameat,
  unlinkat,
  mkdirat,
  symlinkat,
  linkat,
  msg_ring,
  fsetxattr,
  setxattr,
  fgetxattr,
  getxattr,
  socket,
  uring_cmd,
  send_zc,
  sendmsg_zc,
  read_multishot,
  waitid,
  futex_wait,
  futex_wake,
  futex_waitv,
  fixed_fd_install,
  ftruncate,
  bind,
  listen,
  recv_zc,
  epoll_wait,
  readv_fixed,
  writev_fixed,
  pipe,
  nop128,
  uring_cmd128,
};

inline constexpr std::array<std::string_view, 65> kOpNames{"NOP",
                                                           "READV",
                                                           "WRITEV",
                                                           "FSYNC",
                                                           "READ_FIXED",
                                                           "WRITE_FIXED",
                                                           "POLL_ADD",
                                                           "POLL_REMOVE",
                                                           "SYNC_FILE_RANGE",
                                                           "SENDMSG",
                                                           "RECVMSG",
                                                           "TIMEOUT",
                                                           "TIMEOUT_REMOVE",
                                                           "ACCEPT",
                                                           "ASYNC_CANCEL",
                                                           "LINK_TIMEOUT",
                                                           "CONNECT",
                                                           "FALLOCATE",
                                                           "OPENAT",
                                                           "CLOSE",
                                                           "FILES_UPDATE",
                                                           "STATX",
                                                           "READ",
                                                           "WRITE",
                                                           "FADVISE",
                                                           "MADVISE",
                                                           "SEND",
                                                           "RECV",
                                                           "OPENAT2",
                                                           "EPOLL_CTL",
                                                           "SPLICE",
                                                           "PROVIDE_BUFFERS",
                                                           "REMOVE_BUFFERS",
                                                           "TEE",
                                                           "SHUTDOWN",
                                                           "RENAMEAT",
                                                           "UNLINKAT",
                                                           "MKDIRAT",
                                                           "SYMLINKAT",
                                                           "LINKAT",
                                                           "MSG_RING",
                                                           "FSETXATTR",
                                                           "SETXATTR",
                                                           "FGETXATTR",
                                                           "GETXATTR",
                                                           "SOCKET",
                                                           "URING_CMD",
                                                           "SEND_ZC",
                                                           "SENDMSG_ZC",
                                                           "READ_MULTISHOT",
                                                           "WAITID",
                                                           "FUTEX_WAIT",
                                                           "FUTEX_WAKE",
                                                           "FUTEX_WAITV",
                                                           "FIXED_FD_INSTALL",
                                                           "FTRUNCATE",
                                                           "BIND",
                                                           "LISTEN",
                                                           "RECV_ZC",
                                                           "EPOLL_WAIT",
                                                           "READV_FIXED",
                                                           "WRITEV_FIXED",
                                                           "PIPE",
                                                           "NOP128",
                                                           "URING_CMD128"};
static_assert(static_cast<std::size_t>(Op::uring_cmd128) + 1 == kOpNames.size());

constexpr std::string_view name(Op op) { return kOpNames.at(static_cast<std::size_t>(op)); }

/// struct io_uring_sqe. One name for each place; the kernel gives some of them several.
struct Request {
  Op opcode = Op::nop;
  std::uint8_t flags = 0;      // kFixedFile ...
  std::uint16_t priority = 0;  // ioprio; for accept, receive and send: their flags
  std::int32_t fd = -1;
  std::uint64_t offset = 0;   // off, addr2
  std::uint64_t address = 0;  // addr, splice_off_in
  std::uint32_t length = 0;
  std::uint32_t op_flags = 0;  // rw_flags, msg_flags, cancel_flags, poll32_events ...
  std::uint64_t user_data = 0;
  std::uint16_t buffer = 0;  // buf_index, buf_group
  std::uint16_t personality = 0;
  std::int32_t other_fd = 0;  // splice_fd_in, file_index
  std::uint64_t more[2] = {};
};
static_assert(sizeof(Request) == 64);

/// struct io_uring_cqe.
struct Completion {
  std::uint64_t user_data;
  std::int32_t result;
  std::uint32_t flags;
};
static_assert(sizeof(Completion) == 16);

struct SubmissionOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, flags, dropped, array, reserved;
  std::uint64_t user_address;
};
struct CompletionOffsets {
  std::uint32_t head, tail, ring_mask, ring_entries, overflow, cqes, flags, reserved;
  std::uint64_t user_address;
};
/// struct io_uring_params.
struct Parameters {
  std::uint32_t sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd;
  std::uint32_t reserved[3];
  SubmissionOffsets sq;
  CompletionOffsets cq;
};
static_assert(sizeof(Parameters) == 120);

inline constexpr long kSubmissionOffset = 0;
inline constexpr long kCompletionOffset = 0x8000000;
inline constexpr long kRequestOffset = 0x10000000;

// io_uring_params.flags
inline constexpr std::uint32_t kSetupIopoll = 1U << 0;
inline constexpr std::uint32_t kSetupSqpoll = 1U << 1;
inline constexpr std::uint32_t kSetupSqAff = 1U << 2;
inline constexpr std::uint32_t kSetupCqsize = 1U << 3;
inline constexpr std::uint32_t kSetupClamp = 1U << 4;
inline constexpr std::uint32_t kSetupAttachWq = 1U << 5;
inline constexpr std::uint32_t kSetupDisabled = 1U << 6;
inline constexpr std::uint32_t kSetupSubmitAll = 1U << 7;
inline constexpr std::uint32_t kSetupCoopTaskrun = 1U << 8;
inline constexpr std::uint32_t kSetupTaskrunFlag = 1U << 9;
inline constexpr std::uint32_t kSetupSqe128 = 1U << 10;
inline constexpr std::uint32_t kSetupCqe32 = 1U << 11;
inline constexpr std::uint32_t kSetupSingleIssuer = 1U << 12;
inline constexpr std::uint32_t kSetupDeferTaskrun = 1U << 13;
inline constexpr std::uint32_t kSetupNoMmap = 1U << 14;
inline constexpr std::uint32_t kSetupRegisteredFdOnly = 1U << 15;
inline constexpr std::uint32_t kSetupNoSqarray = 1U << 16;
inline constexpr std::uint32_t kSetupHybridIopoll = 1U << 17;
inline constexpr std::uint32_t kSetupCqeMixed = 1U << 18;
inline constexpr std::uint32_t kSetupSqeMixed = 1U << 19;
inline constexpr std::uint32_t kSetupNobody = 1U << 31;  // no kernel knows it

// io_uring_params.features
inline constexpr std::array<std::string_view, 18> kFeatureNames{
    "SINGLE_MMAP", "NODROP",      "SUBMIT_STABLE",   "RW_CUR_POS",   "CUR_PERSONALITY",
    "FAST_POLL",   "POLL_32BITS", "SQPOLL_NONFIXED", "EXT_ARG",      "NATIVE_WORKERS",
    "RSRC_TAGS",   "CQE_SKIP",    "LINKED_FILE",     "REG_REG_RING", "RECVSEND_BUNDLE",
    "MIN_TIMEOUT", "RW_ATTR",     "NO_IOWAIT"};

inline constexpr std::uint32_t kCqOverflow = 1U << 1;  // in the submission queue's flags

// io_uring_enter
inline constexpr unsigned kEnterGetEvents = 1U << 0;
inline constexpr unsigned kEnterWakeup = 1U << 1;
inline constexpr unsigned kEnterExtArg = 1U << 3;
inline constexpr unsigned kEnterRegisteredRing = 1U << 4;
/// struct io_uring_getevents_arg.
struct WaitArgument {
  std::uint64_t signal_mask = 0;
  std::uint32_t signal_mask_size = 0, min_wait_us = 0;
  std::uint64_t timeout = 0;  // of a Timespec
};
/// struct __kernel_timespec: 64 bits wide everywhere.
struct Timespec {
  std::int64_t seconds, nanoseconds;
};

// Request.flags
inline constexpr std::uint8_t kFixedFile = 1U << 0;
inline constexpr std::uint8_t kLink = 1U << 2;
inline constexpr std::uint8_t kAsync = 1U << 4;
inline constexpr std::uint8_t kBufferSelect = 1U << 5;

// Completion.flags
inline constexpr std::uint32_t kHasBuffer = 1U << 0;  // its number: the upper 16 bits
inline constexpr std::uint32_t kMore = 1U << 1;
inline constexpr std::uint32_t kNotification = 1U << 3;
inline constexpr std::uint32_t kBufferGoesOn = 1U << 4;

// Flags of single operations.
inline constexpr std::uint16_t kAcceptMultishot = 1U << 0;
inline constexpr std::uint16_t kReceiveMultishot = 1U << 1;
inline constexpr std::uint32_t kPollMultishot = 1U << 0;
inline constexpr std::uint32_t kTimeoutAbsolute = 1U << 0;
inline constexpr std::uint32_t kTimeoutBoottime = 1U << 2;
inline constexpr std::uint32_t kTimeoutRealtime = 1U << 3;
inline constexpr std::uint32_t kTimeoutMultishot = 1U << 6;
inline constexpr std::uint32_t kCancelAll = 1U << 0;
inline constexpr std::uint32_t kCancelFd = 1U << 1;
inline constexpr std::uint32_t kCancelAny = 1U << 2;
inline constexpr std::uint32_t kCancelFixedFd = 1U << 3;
inline constexpr std::uint32_t kCancelUserData = 1U << 4;
inline constexpr std::uint32_t kCancelOp = 1U << 5;
inline constexpr std::uint32_t kSocketCommandUnread = 0;  // SOCKET_URING_OP_SIOCINQ
inline constexpr std::int32_t kFutexWord = 0x2 | 0x80;    // FUTEX2_SIZE_U32 | FUTEX2_PRIVATE

// io_uring_register
enum class Register : unsigned {
  buffers = 0,
  files = 2,
  probe = 8,
  restrictions = 11,
  enable_rings = 12,
  iowq_max_workers = 19,
  buffer_ring = 22,
  sync_cancel = 24,
};
/// struct io_uring_probe with room for every operation that 8 bits can name.
struct ProbedOp {
  std::uint8_t op, reserved;
  std::uint16_t flags;
  std::uint32_t reserved2;
};
struct Probe {
  std::uint8_t last_op = 0, count = 0;
  std::uint16_t reserved = 0;
  std::uint32_t reserved2[3] = {};
  std::array<ProbedOp, 256> ops{};
};
inline constexpr std::uint16_t kOpSupported = 1U << 0;
/// struct io_uring_restriction.
struct Restriction {
  std::uint16_t kind = 0;
  std::uint8_t what = 0, reserved = 0;
  std::uint32_t reserved2[3] = {};
};
inline constexpr std::uint16_t kAllowRequest = 1;
/// struct io_uring_buf_reg and io_uring_buf; the ring's tail lies over `reserved` of the first.
struct BufferRing {
  std::uint64_t address = 0;
  std::uint32_t entries = 0;
  std::uint16_t group = 0, flags = 0;
  std::uint64_t reserved[3] = {};
};
struct Buffer {
  std::uint64_t address;
  std::uint32_t length;
  std::uint16_t id, reserved;
};
inline constexpr std::uint16_t kBufferRingIncremental = 1U << 1;
/// struct io_uring_sync_cancel_reg.
struct SyncCancel {
  std::uint64_t user_data = 0;
  std::int32_t fd = -1;
  std::uint32_t flags = 0;
  Timespec timeout{-1, -1};
  std::uint8_t op = 0, reserved[7] = {};
  std::uint64_t reserved2[3] = {};
};
static_assert(sizeof(SyncCancel) == 64);

/// An address as requests carry it.
inline std::uint64_t at(const void* memory) { return reinterpret_cast<std::uintptr_t>(memory); }

/// poll's bits as a request carries them: on big-endian machines the halves change places.
constexpr std::uint32_t poll_word(std::uint32_t events) {
  return std::endian::native == std::endian::big ? std::rotl(events, 16) : events;
}

}  // namespace loopscope::probes::abi
