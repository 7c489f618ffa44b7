import Foundation
import NIOCore
import NIOPosix
import Primitives

/// One client's connection through a front.
final class FrontHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case greeting
        case mechanism(String)
        case open
    }

    /// API keys of the Kafka protocol.
    enum API {
        static let metadata: Int16 = 3
        static let findCoordinator: Int16 = 10
        static let handshake: Int16 = 17
        static let versions: Int16 = 18
        static let authenticate: Int16 = 36
        /// AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, TxnOffsetCommit.
        static let transactions: Set<Int16> = [24, 25, 26, 28]
    }

    private let state: FrontState
    private var phase = Phase.greeting
    private var context: ChannelHandlerContext?
    private var upstream: (any Channel)?
    private var isConnecting = false
    private var waiting: [ByteBuffer] = []
    /// Requests whose answers are changed on their way, by correlation id.
    private var pending: [Int32: Int16] = [:]
    private var expiry: Scheduled<Void>?

    init(_ state: FrontState) { self.state = state }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        expiry?.cancel()
        upstream?.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        upstream?.close(promise: nil)
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is IdleStateHandler.IdleStateEvent else { return context.fireUserInboundEventTriggered(event) }
        state.count { $0.closedIdle += 1 }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is OversizedFrame { state.count { $0.closedOversized += 1 } }
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        var reader = frame
        guard let api = reader.readInteger(as: Int16.self), let version = reader.readInteger(as: Int16.self),
            let correlation = reader.readInteger(as: Int32.self)
        else { return context.close(promise: nil) }
        switch (phase, api) {
        case (_, API.versions) where version >= 3:
            // Old clients misread newer answers; told so, they ask again with version 0 (KIP-511).
            reply(correlation) { buffer in
                buffer.writeInteger(35, as: Int16.self)
                buffer.writeInteger(0, as: Int32.self)
            }
        case (_, API.versions), (.open, API.metadata), (.open, API.findCoordinator):
            pending[correlation] = api
            forward(frame, api)
        case (.greeting, API.handshake): handshake(&reader, correlation)
        case (.mechanism(let name), API.authenticate): authenticate(&reader, correlation, name)
        case (.open, _): forward(frame, api)
        case (.greeting, _), (.mechanism, _): context.close(promise: nil)
        }
    }

    // MARK: SASL

    private func handshake(_ reader: inout ByteBuffer, _ correlation: Int32) {
        let name = Self.skipClient(&reader).flatMap { reader.readString(length: $0) } ?? ""
        let known = ["PLAIN", "OAUTHBEARER"]
        if known.contains(name) { phase = .mechanism(name) }
        reply(correlation) { buffer in
            buffer.writeInteger(known.contains(name) ? 0 : 33, as: Int16.self)
            buffer.writeInteger(Int32(known.count))
            for name in known { Self.write(name, to: &buffer) }
        }
    }

    /// Skips the client's id; the length of the text behind it.
    private static func skipClient(_ reader: inout ByteBuffer) -> Int? {
        guard let client = reader.readInteger(as: Int16.self) else { return nil }
        if client > 0 { reader.moveReaderIndex(forwardBy: min(Int(client), reader.readableBytes)) }
        return reader.readInteger(as: Int16.self).map(Int.init)
    }

    private func authenticate(_ reader: inout ByteBuffer, _ correlation: Int32, _ mechanism: String) {
        if let client = reader.readInteger(as: Int16.self), client > 0 {
            reader.moveReaderIndex(forwardBy: min(Int(client), reader.readableBytes))
        }
        let length = reader.readInteger(as: Int32.self).map(Int.init) ?? 0
        let bytes = reader.readBytes(length: max(0, length)) ?? []
        let refusal = mechanism == "PLAIN" ? plain(bytes) : bearer(bytes)
        reply(correlation) { buffer in
            buffer.writeInteger(refusal == nil ? 0 : 58, as: Int16.self)
            if let refusal { Self.write(refusal, to: &buffer) } else { buffer.writeInteger(-1, as: Int16.self) }
            buffer.writeInteger(0, as: Int32.self)
        }
        if refusal == nil {
            phase = .open
            state.count { $0.authenticated += 1 }
        } else {
            state.count { $0.refused += 1 }
            context?.close(promise: nil)
        }
    }

    private func plain(_ bytes: [UInt8]) -> String? {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard parts.count == 3, state.options.users[parts[1]] == parts[2] else {
            return "Invalid SASL mechanism response: the user or the password is wrong"
        }
        return nil
    }

    private func bearer(_ bytes: [UInt8]) -> String? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let start = text.range(of: "auth=Bearer ") else { return "no token" }
        let token = String(text[start.upperBound...].prefix { $0 != "\u{1}" })
        guard let end = state.options.expiry(token), end > Date() else { return "the token is not accepted" }
        let left = Int64(end.timeIntervalSinceNow * 1_000)
        guard let context else { return "closed" }
        let state = state
        let channel = context.channel
        expiry = context.eventLoop.scheduleTask(in: .milliseconds(max(0, left))) {
            state.count { $0.closedExpired += 1 }
            channel.close(promise: nil)
        }
        return nil
    }

    private static func write(_ text: String, to buffer: inout ByteBuffer) {
        buffer.writeInteger(Int16(text.utf8.count))
        buffer.writeString(text)
    }

    private func reply(_ correlation: Int32, _ body: (inout ByteBuffer) -> Void) {
        guard let context else { return }
        var frame = context.channel.allocator.buffer(capacity: 128)
        frame.writeInteger(correlation)
        body(&frame)
        send(frame)
    }

    private func send(_ frame: ByteBuffer) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: frame.readableBytes + 4)
        buffer.writeInteger(Int32(frame.readableBytes))
        buffer.writeImmutableBuffer(frame)
        context.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    // MARK: Passing on

    private func forward(_ frame: ByteBuffer, _ api: Int16) {
        state.count { $0.requests[api, default: 0] += 1 }
        waiting.append(frame)
        if let upstream { return flush(to: upstream) }
        guard !isConnecting, let context else { return }
        isConnecting = true
        let own = NIOLoopBound(self, eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let operations = channel.pipeline.syncOperations
                    try operations.addHandler(ByteToMessageHandler(FrameDecoder(maximumBytes: 1 << 30)))
                    try operations.addHandler(UpstreamHandler(own.value))
                }
            }
            .connect(host: "127.0.0.1", port: state.brokerPort)
            .whenComplete { result in
                let handler = own.value
                switch result {
                case .success(let channel):
                    handler.upstream = channel
                    handler.flush(to: channel)
                case .failure: handler.context?.close(promise: nil)
                }
            }
    }

    private func flush(to upstream: any Channel) {
        for frame in waiting {
            var buffer = upstream.allocator.buffer(capacity: frame.readableBytes + 4)
            buffer.writeInteger(Int32(frame.readableBytes))
            buffer.writeImmutableBuffer(frame)
            upstream.writeAndFlush(buffer, promise: nil)
        }
        waiting = []
    }

    /// Takes an answer of the broker.
    func deliver(_ frame: ByteBuffer) {
        guard let correlation = frame.getInteger(at: frame.readerIndex, as: Int32.self),
            let api = pending.removeValue(forKey: correlation)
        else { return send(frame) }
        send(api == API.versions ? Self.versions(frame) : withOwnAddress(frame))
    }

    func upstreamClosed() { context?.close(promise: nil) }

    /// The list of what is understood, with SASL and without transactions.
    private static func versions(_ frame: ByteBuffer) -> ByteBuffer {
        var reader = frame
        guard let correlation = reader.readInteger(as: Int32.self), let code = reader.readInteger(as: Int16.self),
            let count = reader.readInteger(as: Int32.self)
        else { return frame }
        var entries: [(Int16, Int16, Int16)] = []
        for _ in 0..<max(0, count) {
            guard let (key, least, most) = reader.readMultipleIntegers(as: (Int16, Int16, Int16).self) else { break }
            guard !API.transactions.contains(key), key != API.handshake, key != API.authenticate else { continue }
            entries.append((key, least, most))
        }
        entries += [(API.handshake, 0, 1), (API.authenticate, 0, 0)]
        var buffer = ByteBuffer()
        buffer.writeInteger(correlation)
        buffer.writeInteger(code)
        buffer.writeInteger(Int32(entries.count))
        for (key, least, most) in entries { buffer.writeMultipleIntegers(key, least, most) }
        buffer.writeImmutableBuffer(reader)
        return buffer
    }

    /// The answer with this front's port wherever the broker's stands behind its address.
    private func withOwnAddress(_ frame: ByteBuffer) -> ByteBuffer {
        var bytes = Array(frame.readableBytesView)
        let host = Array("127.0.0.1".utf8)
        let theirs = Self.bigEndian(state.brokerPort)
        let own = Self.bigEndian(state.port.withLock { $0 })
        var i = 0
        while i + host.count + 4 <= bytes.count {
            if Array(bytes[i..<i + host.count]) == host, Array(bytes[i + host.count..<i + host.count + 4]) == theirs {
                bytes.replaceSubrange(i + host.count..<i + host.count + 4, with: own)
                i += host.count + 4
            } else {
                i += 1
            }
        }
        return ByteBuffer(bytes: bytes)
    }

    private static func bigEndian(_ port: Int) -> [UInt8] {
        [0, 0, UInt8(truncatingIfNeeded: port >> 8), UInt8(truncatingIfNeeded: port)]
    }
}

/// The broker's side of a connection through a front.
final class UpstreamHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let front: FrontHandler

    init(_ front: FrontHandler) { self.front = front }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { front.deliver(unwrapInboundIn(data)) }

    func channelInactive(context: ChannelHandlerContext) { front.upstreamClosed() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
