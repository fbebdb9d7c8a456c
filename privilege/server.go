package privilege

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/enforce"
	"github.com/firmward/firmward/wire"
)

// Network is what the helper does on the wire: wire.OS, or a namespace.
type Network interface {
	wire.Overhearing
	Sweep(ctx context.Context, prefix netip.Prefix) (map[netip.Addr]net.HardwareAddr, error)
}

// Wall is the wall of this machine: nft.Wall.
type Wall interface {
	enforce.Enforcer
	enforce.Counter
}

// Helper is the side with the rights. All fields but Never are required.
type Helper struct {
	UID     int // the one user that is served
	Network Network
	Wall    Wall
	Own     func() ([]netip.Addr, error) // addresses of this machine
	Never   []netip.Prefix               // what is never cut, beside them
	Cap     int                          // how many addresses may be cut anew within an hour
	Log     *slog.Logger

	sweeping sync.Mutex
	walls    sync.Mutex
	last     string                   // token of the last change
	cut      []netip.Addr             // by the last change
	begun    map[netip.Addr]time.Time // when an address was cut anew
}

// Serve answers until ctx ends or the listener fails.
func (h *Helper) Serve(ctx context.Context, l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	slots := make(chan struct{}, maxConns)
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		select {
		case slots <- struct{}{}:
			wg.Go(func() {
				h.serve(ctx, c)
				<-slots
			})
		default:
			_ = c.Close()
		}
	}
}

// serve answers one connection and closes it.
func (h *Helper) serve(ctx context.Context, c net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	defer c.Close()
	if uid, ok := PeerUID(c); !ok || uid != h.UID {
		h.Log.Warn("turned away", "uid", uid)
		_ = send(c, answer{Error: &problem{Code: firmward.Forbidden, Message: "the helper serves another user"}})
		return
	}
	_ = c.SetReadDeadline(time.Now().Add(requestTime))
	r := bufio.NewReader(c)
	line, err := readLine(r)
	var req request
	if err == nil {
		req, err = readRequest(line)
	}
	if err != nil {
		_ = send(c, answer{Error: problemOf(err)})
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	go func() { // nothing more may come: a byte and the end of the server end what it asked for
		_, _ = r.ReadByte()
		cancel()
	}()
	if req.Overhear != nil {
		h.overhear(ctx, c, req.Overhear.Prefix)
		return
	}
	a, err := h.answer(ctx, req)
	if err != nil {
		a = answer{Error: problemOf(err)}
	}
	if err := send(c, a); err != nil && ctx.Err() == nil {
		h.Log.Warn("answer not taken", "error", err)
	}
}

// answer does what one request asks for.
func (h *Helper) answer(ctx context.Context, r request) (answer, error) {
	switch {
	case r.Sweep != nil:
		return h.sweep(ctx, r.Sweep.Prefix)
	case r.Ready != nil:
		return answer{}, h.Wall.Ready(ctx)
	case r.Dropped != nil:
		d, err := h.Wall.Dropped(ctx)
		return answer{Dropped: &d}, err
	}
	h.walls.Lock()
	defer h.walls.Unlock()
	if r.Confirm != nil {
		return answer{}, h.confirm(ctx, r.Confirm.Token)
	}
	return h.apply(ctx, *r.Apply)
}

// overhear sends frames for as long as somebody listens.
func (h *Helper) overhear(ctx context.Context, c net.Conn, prefix netip.Prefix) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The answer goes first, with the first frame or a moment later: by then the link was found and the right to listen too.
	var once sync.Once
	begin := func() {
		once.Do(func() {
			if send(c, answer{}) != nil {
				cancel()
			}
		})
	}
	var writing sync.Mutex
	timer := time.AfterFunc(beginTime, func() {
		writing.Lock()
		defer writing.Unlock()
		begin()
	})
	err := h.Network.Overhear(ctx, prefix, func(frame []byte) {
		writing.Lock()
		defer writing.Unlock()
		begin()
		if sendFrame(c, frame) != nil {
			cancel()
		}
	})
	timer.Stop()
	writing.Lock()
	defer writing.Unlock()
	once.Do(func() {
		if err != nil {
			_ = send(c, answer{Error: problemOf(err)})
		}
	})
}

// beginTime is after what time somebody who overhears is told that nothing stands against it.
const beginTime = 100 * time.Millisecond

func (h *Helper) sweep(ctx context.Context, prefix netip.Prefix) (answer, error) {
	if !h.sweeping.TryLock() {
		return answer{}, firmward.Errorf(firmward.Unavailable, "a sweep is under way: one at a time")
	}
	defer h.sweeping.Unlock()
	found, err := h.Network.Sweep(ctx, prefix)
	if err != nil {
		return answer{}, err
	}
	seen := make(map[netip.Addr]string, len(found))
	for a, mac := range found {
		seen[a] = mac.String()
	}
	return answer{Seen: seen}, nil
}

// apply puts rules on trial that pass the helper's own guard. It needs h.walls.
func (h *Helper) apply(ctx context.Context, r rules) (answer, error) {
	now := time.Now()
	if trial := r.ConfirmBy.Sub(now); len(r.Want) > 0 && trial > MaxTrial {
		return answer{}, firmward.Errorf(firmward.Refused, fmt.Sprintf("the helper lets a change stand unconfirmed for %s at most", MaxTrial))
	}
	cut, err := h.guard(r.Want)
	if err != nil {
		return answer{}, err
	}
	fresh := h.fresh(cut, now)
	if len(fresh)+len(h.begun) > h.Cap && len(fresh) > 0 {
		return answer{}, firmward.Errorf(firmward.Refused, fmt.Sprintf("the helper cuts at most %d addresses within an hour: a person must look first (helper --cap)", h.Cap))
	}
	a, err := h.Wall.Apply(ctx, r.Want, r.ConfirmBy)
	if err != nil {
		return answer{}, err
	}
	for _, addr := range fresh {
		h.begun[addr] = now
	}
	a.Token = mark + a.Token
	h.last, h.cut = a.Token, cut
	h.Log.Info("rules on trial", "cut", cut, "confirm-by", r.ConfirmBy)
	return answer{Applied: &a}, nil
}

// guard gives the addresses that rules cut, or says why they must not.
func (h *Helper) guard(want []firmward.AccessRule) ([]netip.Addr, error) {
	own, err := h.Own()
	if err != nil {
		return nil, err
	}
	var cut []netip.Addr
	for _, r := range want {
		a := r.Device.Unmap().WithZone("")
		if slices.Contains(own, a) && !a.IsLoopback() { // the wall itself says that loopback is no device
			return nil, firmward.Errorf(firmward.Refused, a.String()+" is never cut: it is this machine's own")
		}
		if slices.ContainsFunc(h.Never, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return nil, firmward.Errorf(firmward.Refused, a.String()+" is never cut: the helper's list says so (helper --never)")
		}
		if !slices.Contains(cut, a) {
			cut = append(cut, a)
		}
	}
	return cut, nil
}

// fresh are the addresses that the last change did not cut, and were not cut within the hour. What is older is forgotten.
func (h *Helper) fresh(cut []netip.Addr, now time.Time) []netip.Addr {
	if h.begun == nil {
		h.begun = map[netip.Addr]time.Time{}
	}
	for a, at := range h.begun {
		if now.Sub(at) >= time.Hour {
			delete(h.begun, a)
		}
	}
	return slices.DeleteFunc(slices.Clone(cut), func(a netip.Addr) bool {
		_, begun := h.begun[a]
		return begun || slices.Contains(h.cut, a)
	})
}

// mark begins the token of each change that a helper made.
const mark = "helper:"

// confirm makes the last change stand. It needs h.walls.
func (h *Helper) confirm(ctx context.Context, token string) error {
	wallToken, made := strings.CutPrefix(token, mark)
	switch {
	case !made:
		return firmward.Errorf(firmward.Invalid, "this was not applied by the helper")
	case token != h.last:
		return firmward.Errorf(firmward.Conflict, "too late to confirm: this is not the last change that the helper made")
	}
	if err := h.Wall.Confirm(ctx, enforce.Applied{Token: wallToken}); err != nil {
		return err
	}
	h.Log.Info("rules confirmed", "cut", h.cut)
	return nil
}

// readLine reads up to the end of a line, at most MaxLine bytes.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > MaxLine:
			return nil, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("more than %d bytes in a line", MaxLine))
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, fmt.Errorf("read a line: %w", err)
		}
	}
}

func send(c net.Conn, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if err := c.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err = c.Write(append(b, '\n'))
	return err
}

func sendFrame(c net.Conn, frame []byte) error {
	frame = frame[:min(len(frame), maxFrame)]
	if err := c.SetWriteDeadline(time.Now().Add(answerTime)); err != nil {
		return err
	}
	_, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(frame))), frame...))
	return err
}

// readFrame reads one frame into b.
func readFrame(r io.Reader, b []byte) ([]byte, error) {
	if _, err := io.ReadFull(r, b[:2]); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(b))
	if n > maxFrame {
		return nil, firmward.Errorf(firmward.TooLarge, "a frame that no link carries")
	}
	_, err := io.ReadFull(r, b[:n])
	return b[:n], err
}
