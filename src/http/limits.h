// Every bound of this module.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace skiff::http {

// Head of a message.
inline constexpr std::size_t kHeaderFieldsMax = 256;
inline constexpr std::size_t kTargetBytesMax = 32 * 1024;
// Chunked bodies: one size line with its extensions, and all trailers together.
inline constexpr std::size_t kChunkLineBytesMax = 256;
inline constexpr std::size_t kTrailerBytesMax = 8 * 1024;
// Bodies of all requests of one server that are still arriving.
inline constexpr std::size_t kArrivingBodiesBytesMax = 64u << 20;

// One read of a socket, and what one connection may have buffered before reading pauses.
inline constexpr std::size_t kReceiveBytes = 64 * 1024;
inline constexpr std::size_t kInputBufferedBytesMax = 128 * 1024;
// TLS plaintext of one record; what one connection writes before others get their turn.
inline constexpr std::size_t kTlsRecordBytes = 16 * 1024;
inline constexpr std::size_t kWriteSliceBytes = 128 * 1024;
static_assert(kWriteSliceBytes % kTlsRecordBytes == 0);
// What is encrypted at once: as much may wait on every connection whose reader is slow.
inline constexpr std::size_t kTlsSliceBytes = 32 * 1024;
static_assert(kTlsSliceBytes % kTlsRecordBytes == 0 && kTlsSliceBytes <= kWriteSliceBytes);
static_assert(kReceiveBytes <= kInputBufferedBytesMax);
// A stream waits while this much is queued on its connection; so does the next pipelined request.
inline constexpr std::size_t kOutputQueueBytesMax = 192 * 1024;
static_assert(kOutputQueueBytesMax > kWriteSliceBytes);
// Buffers per writev on plain connections.
inline constexpr std::size_t kWritePiecesMax = 64;

// Connections flushed and accepted in one loop turn; requests in one hand-over to a worker.
inline constexpr std::size_t kFlushesPerTurn = 64;
inline constexpr std::size_t kAcceptsPerTurn = 64;
inline constexpr std::size_t kRequestsPerHandOver = 8;
inline constexpr int kListenBacklog = 1024;

// TLS handshake and head of a request, from the first byte awaited.
inline constexpr std::chrono::seconds kHeadTimeout{15};
// Between two reads of a body, and for all of it.
inline constexpr std::chrono::seconds kBodyStallTimeout{30};
inline constexpr std::chrono::seconds kBodyTimeout{300};
// A keep-alive connection without a request. Go's clients drop theirs after 90 s, so that the
// client is the one that closes.
inline constexpr std::chrono::seconds kIdleTimeout{120};
// The handler's token is cancelled after this.
inline constexpr std::chrono::seconds kHandlerTimeout{65};
// A peer that takes nothing of what is queued.
inline constexpr std::chrono::seconds kWriteStallTimeout{30};
// After the last answer: how long the peer may take to close.
inline constexpr std::chrono::seconds kLingerTimeout{2};
// accept() failed for want of descriptors or memory.
inline constexpr std::chrono::milliseconds kAcceptRetryDelay{100};
// After the grace of a stop: cancelled handlers have this long to return.
inline constexpr std::chrono::seconds kCancelledHandlersTimeout{5};
static_assert(kBodyStallTimeout < kBodyTimeout);
// TCP keep-alive, so that a peer that vanished behind a silent watch is noticed.
inline constexpr int kKeepAliveIdleSeconds = 60;
inline constexpr int kKeepAliveIntervalSeconds = 20;
inline constexpr int kKeepAliveProbes = 3;

// Upgraded connections. kubectl sends pieces of 32 KiB.
inline constexpr std::size_t kWebSocketMessageBytesMax = 1u << 20;
inline constexpr std::size_t kSpdyControlBytesMax = 64 * 1024;
inline constexpr std::size_t kSpdyHeadersBytesMax = 64 * 1024;
inline constexpr std::size_t kSpdyStreamsMax = 1024;
inline constexpr std::size_t kSpdyInitialWindowBytes = 64 * 1024;  // SPDY/3.1, 2.6.8
// What a session has received and its reader has not taken: in bytes and in frames.
inline constexpr std::size_t kSessionInboxBytesMax = 256 * 1024;
inline constexpr std::size_t kSessionInboxFramesMax = 4096;
// A write to a channel waits this long for the client to open the channel's stream.
inline constexpr std::chrono::seconds kStreamOpenTimeout{30};

// HTTP/2. A client library keeps every watch on one connection, and ordinary requests between them.
inline constexpr std::uint32_t kHttp2StreamsMax = 1024;
// Handlers that still run for streams of one connection that are gone: a client that opens and
// resets streams must not queue work without end.
inline constexpr std::size_t kHttp2HandlersMax = 400;
inline constexpr std::uint32_t kHttp2HeaderTableBytes = 4096;
// Payload of a frame that goes out (RFC 9113, 6.5.2: what every peer takes), and room for it with
// its head.
inline constexpr std::size_t kHttp2FrameBytesMax = 16 * 1024;
inline constexpr std::size_t kHttp2FrameBufferBytes = kHttp2FrameBytesMax + 64;
// What one stream may send before its reader takes it, and all streams of a connection before the
// engine sees it.
inline constexpr std::uint32_t kHttp2StreamWindowBytes = 256 * 1024;
inline constexpr std::uint32_t kHttp2ConnectionWindowBytes = 1024 * 1024;
static_assert(kHttp2StreamWindowBytes <= kHttp2ConnectionWindowBytes);
// What waits for the socket before streams are asked for more, and for one stream before its writer
// waits.
inline constexpr std::size_t kHttp2OutputBytesMax = kWriteSliceBytes;
inline constexpr std::size_t kHttp2OutboxBytesMax = 64 * 1024;
// Answers to PING and SETTINGS that wait for a peer that does not read.
inline constexpr std::size_t kHttp2AnswersQueuedMax = 256;
inline constexpr std::uint64_t kHttp2ResetsBurst = 1000;
inline constexpr std::uint64_t kHttp2ResetsPerSecond = 33;
// Streams are open and nothing has come for so long: is the peer still there?
inline constexpr std::chrono::seconds kHttp2PingAfter{60};
inline constexpr std::chrono::seconds kHttp2PingTimeout{20};
static_assert(kHttp2PingAfter < kIdleTimeout);
// How often requests that arrive or run are looked at, while there are any.
inline constexpr std::chrono::seconds kHttp2CheckInterval{5};
static_assert(kHttp2CheckInterval < kHeadTimeout);
// Data of one frame of a session: an object and what stands around it.
inline constexpr std::size_t kFramedDataBytesMax = 4u << 20;

// The client on the loop.
inline constexpr std::size_t kResponseHeadBytesMax = 64 * 1024;
inline constexpr std::size_t kIdleClientsPerTarget = 4;
inline constexpr std::size_t kIdleClientsMax = 64;
// Below the server's kIdleTimeout, so that a connection is seldom closed as it is reused.
inline constexpr std::chrono::seconds kClientIdleTimeout{60};
static_assert(kClientIdleTimeout < kIdleTimeout);
static_assert(kIdleClientsPerTarget <= kIdleClientsMax);
inline constexpr std::size_t kResolverThreadsMax = 2;
// Addresses of one name that are tried, and how long each but the last: one where nobody answers
// must not take all the time of a request.
inline constexpr std::size_t kAddressesTriedMax = 8;
inline constexpr std::chrono::seconds kAddressConnectMax{3};

}  // namespace skiff::http
