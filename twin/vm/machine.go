package vm

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// machine is a QEMU that runs.
type machine struct {
	cmd  *exec.Cmd
	said bytes.Buffer
	over chan struct{}
}

// run starts it. It ends with this process: the thread that started it stays for as long as it runs.
func run(cmd *exec.Cmd) (*machine, error) {
	m := &machine{cmd: cmd, over: make(chan struct{})}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &m.said, &m.said, time.Second
	bind(cmd)
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(m.over)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it ends by being killed; what it said tells more
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start QEMU: %w", err)
	}
	return m, nil
}

// kill ends it at once, and says when it had ended by itself.
func (m *machine) kill() error {
	select {
	case <-m.over:
		return fmt.Errorf("QEMU has ended by itself: %s", bytes.TrimSpace(m.said.Bytes()))
	default:
	}
	_ = m.cmd.Process.Kill()
	<-m.over
	return nil
}
