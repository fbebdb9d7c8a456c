package nft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/firmward/firmward"
)

const (
	runLimit = 15 * time.Second
	outLimit = 1 << 20 // bytes kept of what nft says
)

// run starts nft, inside the namespace when there is one, and feeds it text. Codes of its errors:
// NotSupported (no nft, no such namespace, no right to it, a kernel that lacks something), NotFound (what
// the text speaks of is not there), Unavailable (anything else).
func (w *Wall) run(ctx context.Context, text string, args ...string) ([]byte, error) {
	program, err := find("nft", "nftables")
	if err != nil {
		return nil, err
	}
	if w.Namespace != "" {
		ip, err := find("ip", "iproute2")
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(w.Namespace, "-") {
			return nil, firmward.Errorf(firmward.Invalid, w.Namespace+" is no name of a network namespace")
		}
		program, args = ip, append([]string{"netns", "exec", w.Namespace, program}, args...)
	}
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	out, said := limited{max: outLimit}, limited{max: outLimit}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &said
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, &firmward.Error{Code: firmward.Unavailable, Message: "nft did not end in time", Err: ctx.Err()}
	case err != nil:
		return nil, w.explain(said.Bytes(), err)
	case out.cut:
		return nil, firmward.Errorf(firmward.TooLarge, fmt.Sprintf("nft said more than %d bytes", outLimit))
	}
	return out.Bytes(), nil
}

// find looks for a program in PATH and where only root's PATH leads.
func find(name, debianPackage string) (string, error) {
	for _, at := range [...]string{name, filepath.Join("/usr/sbin", name), filepath.Join("/sbin", name)} {
		if path, err := exec.LookPath(at); err == nil {
			return path, nil
		}
	}
	return "", firmward.Errorf(firmward.NotSupported, "the program "+name+" is not installed: run apt install "+debianPackage)
}

// explain turns what nft (or ip) said into plain words.
func (w *Wall) explain(said []byte, err error) error {
	line, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
	line = strings.ToValidUTF8(line[:min(len(line), 300)], "")
	cause := errors.New(line)
	if line == "" {
		cause = err
	}
	switch {
	case strings.Contains(line, "Operation not permitted"), strings.Contains(line, "must be root"), strings.Contains(line, "Permission denied"):
		return &firmward.Error{Code: firmward.NotSupported, Message: "it needs root: run firmward helper as root on this router (serve --helper), or firmward itself", Err: cause}
	case strings.Contains(line, "Cannot open network namespace"):
		return &firmward.Error{Code: firmward.NotSupported, Message: "there is no network namespace " + w.Namespace, Err: cause}
	case strings.Contains(line, "No such file or directory"):
		return &firmward.Error{Code: firmward.NotFound, Message: "the kernel does not know it", Err: cause}
	case strings.Contains(line, "not supported"), strings.Contains(line, "Protocol error"), strings.Contains(line, "Invalid argument"):
		return &firmward.Error{Code: firmward.NotSupported, Message: "this kernel's nftables lacks what the wall needs", Err: cause}
	}
	return &firmward.Error{Code: firmward.Unavailable, Message: "nft failed", Err: cause}
}

// limited keeps the first max bytes and forgets the rest.
type limited struct {
	bytes.Buffer
	max int
	cut bool
}

// Write never fails: a program must not die of being talkative.
func (l *limited) Write(b []byte) (int, error) {
	room := l.max - l.Len()
	if len(b) > room {
		l.cut = true
		l.Buffer.Write(b[:max(0, room)])
		return len(b), nil
	}
	return l.Buffer.Write(b)
}
