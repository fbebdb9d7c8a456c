package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/cmd/firmward/demo"
	"github.com/firmward/firmward/control"
	"github.com/firmward/firmward/httpapi"
	"github.com/firmward/firmward/lab"
	"github.com/firmward/firmward/web"
)

// DemoCmd tells the main job as a story on simulated devices.
type DemoCmd struct {
	Exit   bool          `help:"End after the story; the exit code is 0 only if every outcome happened."`
	Scale  time.Duration `help:"House time that passes in one second." default:"1h"`
	Listen string        `help:"Address of the API while the demo runs; loopback only." default:"127.0.0.1:8099"`
	Lab    string        `help:"Address at which 'firmward lab fault' reaches the simulated devices." default:"127.0.0.1:18099"`
}

// Help shows examples.
func (DemoCmd) Help() string {
	return "Three simulated sites live in this process; nothing leaves it and nothing is installed. For root on Linux, with nft and ip, " +
		"one device stands behind a real wall, in network namespaces that are the demo's own and go with it.\n\n" + examples(
		"firmward demo                     # tell the story, then keep running",
		"firmward demo --exit              # for scripts: a summary and an exit code",
		"firmward lab fault cam-3 silent   # in a second terminal, break something")
}

// Run plays the demo in a data directory of its own that is removed at the end.
func (c *DemoCmd) Run(ctx context.Context, a *app) error {
	if c.Scale < time.Second || c.Scale > 24*time.Hour {
		return firmward.Errorf(firmward.Invalid, "the scale is house time per second of wall time: want 1s to 24h, for example 1h or 10m")
	}
	// A terminal or reader that goes away must not leave files and namespaces behind.
	watched, leave := context.WithCancel(ctx)
	defer leave()
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		var stop context.CancelFunc
		watched, stop = signal.NotifyContext(watched, syscall.SIGHUP)
		defer stop()
	}
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE) // taken, so that the process lives to clean up
	defer signal.Stop(pipe)
	b := *a
	b.out, a = untilGone{a.out, leave}, &b
	dir, err := os.MkdirTemp("", "firmward-demo-")
	if err != nil {
		return fmt.Errorf("make a directory for the demo: %w", err)
	}
	defer os.RemoveAll(dir)
	err = c.play(watched, a, dir)
	if err != nil && watched.Err() != nil && ctx.Err() == nil {
		return exitWith(exitError) // nobody is left to read why
	}
	return err
}

// untilGone writes until the reader goes away. SIGPIPE does not tell that: it also comes for every client of the
// API that closes its connection early.
type untilGone struct {
	io.Writer
	gone func()
}

func (u untilGone) Write(b []byte) (int, error) {
	n, err := u.Writer.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		u.gone()
	}
	return n, err
}

// play builds the house, tells the story in it and takes it down.
func (c *DemoCmd) play(ctx context.Context, a *app, dir string) error {
	story, stop, err := c.open(ctx, a, dir)
	if err != nil {
		return err
	}
	defer stop()
	c.intro(a, story)
	began := time.Now()
	if err := story.Play(ctx); err != nil {
		return err
	}
	good, err := c.summary(ctx, a, story, time.Since(began))
	if err != nil {
		return err
	}
	if !c.Exit {
		c.invite(a, story, dir)
		c.follow(ctx, a, story)
	}
	if !good {
		return errors.New("not every outcome of the story happened")
	}
	return nil
}

// intro says what will be seen, and the few words that a newcomer needs.
func (c *DemoCmd) intro(a *app, s *demo.Story) {
	wall := "none can stand here (" + s.NoWall + "), so no device will be called contained"
	if s.Wall != nil {
		wall = "nas-1 stands in a network namespace behind a router in another: real packets, and nftables in their way"
	}
	fmt.Fprintf(a.out, "%s: a home, a small clinic and a plant, simulated in this process alone.\n\n", a.bold("firmward demo"))
	for _, line := range []string{
		fmt.Sprintf("  time    1 s here is %s there; the story takes three to four days there", short(c.Scale)),
		"  people  anna runs all three places, ben approves, ward 3 owns the cameras",
		"  wall    " + wall,
		"  words   spare: a device to rehearse on; canary: the first device in use to get a release; soak: waiting and watching before the next wave",
		"  ✓       it came true; below stands what was seen, on the simulated devices wherever one can look",
	} {
		say(a, line)
	}
}

// open starts lab, house and the API beside each other. stop ends them, the last one first.
func (c *DemoCmd) open(ctx context.Context, a *app, dir string) (story *demo.Story, stop func(), err error) {
	var ends []func() error
	takeDown := func() {
		for _, end := range slices.Backward(ends) {
			if err := end(); err != nil {
				fmt.Fprintln(a.err, "firmward: end of the demo:", err)
			}
		}
	}
	defer func() {
		if err != nil {
			takeDown()
		}
	}()
	start := time.Now()
	factor := float64(c.Scale) / float64(time.Second)
	l, err := lab.ThreeSites(lab.Options{Clock: lab.ScaledClock(start, factor), Net: lab.NewNet()})
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, l.Close)
	clock := control.Clock{Base: start, Start: start, Scale: factor}
	cfg := houseConfig{
		Dir: filepath.Join(dir, "data"), Policies: filepath.Join(dir, "demo.yaml"), Network: l.Attach("home"), Clock: clock, Lab: true,
		DepotAddr: netip.AddrPortFrom(demo.Self[0], 8390), Self: demo.Self,
	}
	if err := os.WriteFile(cfg.Policies, demo.Policies, 0o600); err != nil {
		return nil, nil, fmt.Errorf("write the demo's policies: %w", err)
	}
	wall, noWall, err := c.wall(ctx, l, &cfg)
	if err != nil {
		return nil, nil, err
	}
	if wall != nil {
		ends = append(ends, wall.Close)
	}
	h, err := openHouse(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	ends = append(ends, h.Close)
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- h.run(running) }()
	ends = append(ends, func() error { cancel(); return <-done })
	ends = append(ends, c.serve(running, a, h, l, cfg.Dir)...)
	anna, err := c.person(ctx, h, "anna", firmward.Admin)
	if err != nil {
		return nil, nil, err
	}
	ben, err := c.person(ctx, h, "ben", firmward.Approver)
	if err != nil {
		return nil, nil, err
	}
	return demo.New(demo.House{
		Store: h.Store, Lab: l, Clock: clock, Anna: anna, Ben: ben, Signer: h.Signer, Wall: wall, NoWall: noWall,
	}, func(line string) { say(a, line) }), takeDown, nil
}

// wall puts one device behind a real wall and firmward before it; else it says why none can stand here.
func (c *DemoCmd) wall(ctx context.Context, l *lab.Lab, cfg *houseConfig) (w *demo.Wall, noWall string, err error) {
	w, err = demo.Build(ctx, l)
	switch {
	case ctx.Err() != nil:
		if w != nil {
			err = w.Close()
		}
		return nil, "", errors.Join(ctx.Err(), err)
	case err != nil:
		return nil, err.Error(), nil
	}
	cfg.Network, cfg.Enforcers, cfg.Witness = w.Network(l.Attach("home")), w.Enforcers(), w.Witness()
	return w, "", nil
}

// serve lets the API, the lab's controls and the command line in, and gives how each ends.
func (c *DemoCmd) serve(ctx context.Context, a *app, h *house, l *lab.Lab, dir string) (ends []func() error) {
	for addr, handler := range map[string]http.Handler{c.Listen: h.API.Handler(), c.Lab: l.ControlHandler()} {
		if srv := c.listen(a, addr, handler); srv != nil {
			ends = append(ends, srv.Close)
		}
	}
	if srv, err := serveSocket(ctx, h, dir); err == nil {
		ends = append(ends, srv.Close)
	}
	return ends
}

// listen serves on a loopback address; a port that is taken costs only the convenience.
func (c *DemoCmd) listen(a *app, addr string, handler http.Handler) *http.Server {
	host, _, err := net.SplitHostPort(addr)
	if ip, perr := netip.ParseAddr(host); err != nil || perr != nil || !ip.IsLoopback() {
		fmt.Fprintf(a.err, "firmward: %s is no loopback address: the demo does not listen there\n", addr)
		return nil
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintf(a.err, "firmward: %s is taken, so the demo goes on without it: %v\n", addr, err)
		return nil
	}
	srv := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go srv.Serve(ln)
	return srv
}

// serveSocket lets the command line reach the demo by its data directory.
func serveSocket(ctx context.Context, h *house, dir string) (*http.Server, error) {
	ln, err := listenSocket(ctx, filepath.Join(dir, fileSocket))
	if err != nil {
		return nil, err
	}
	srv := newServer(ctx, h, slog.New(slog.DiscardHandler))
	srv.ConnContext = localConn
	go srv.Serve(ln)
	return srv, nil
}

// person makes a token and a client for one actor of the story.
func (c *DemoCmd) person(ctx context.Context, h *house, name string, role firmward.Role) (demo.Person, error) {
	secret, _, err := h.Control.AddToken(ctx, firmward.Person{Name: "demo", Role: firmward.Admin}, name, role, time.Time{})
	return demo.Person{
		Name: name, Token: secret, Base: "http://127.0.0.1",
		Client: &http.Client{Transport: httpapi.InProcess{Handler: h.API.Handler()}},
	}, err
}

// summary shows the gaps first, then the outcomes.
func (c *DemoCmd) summary(ctx context.Context, a *app, s *demo.Story, took time.Duration) (good bool, err error) {
	gaps, err := s.Gaps(ctx)
	if err != nil {
		return false, err
	}
	say(a, "")
	say(a, "── What is not green: failed, silent, refused, open or unknown")
	for _, g := range gaps {
		say(a, "  "+g)
	}
	came := 0
	for _, o := range s.Outcomes() {
		if o.OK {
			came++
			continue
		}
		say(a, fmt.Sprintf("  %s %s: %s", a.paint("31", "did not happen"), o.Text, o.Seen))
	}
	fmt.Fprintf(a.out, "\n%s, checked against the simulated devices, in %s.\n", a.bold(fmt.Sprintf("%d of %d outcomes happened", came, len(s.Outcomes()))), took.Round(time.Second))
	return came == len(s.Outcomes()), nil
}

func (c *DemoCmd) invite(a *app, s *demo.Story, dir string) {
	more := ""
	if web.App() != nil {
		more = fmt.Sprintf(`
  firmward tokens add me --role admin   lets you into the web app at http://%s
`, c.Listen)
	}
	if s.Wall != nil {
		more += fmt.Sprintf(`
  firmward contain nas-1 --why try   cut it off again, then look from the guests' laptop:
  %s
`, s.Wall.Try())
	}
	fmt.Fprintf(a.out, `
It keeps running. In a second terminal:

  export FIRMWARD_DATA=%s
  firmward next                      one next step for every device
  firmward device nas-1              what it is, and how firmward knows
  firmward rollout                   what went out, and what was halted
  firmward lab fault cam-3 silent    break something: what firmward notices is shown here
%s
Ctrl-C ends it and removes everything.

`, filepath.Join(dir, "data"), more)
}

// short writes a duration without zero parts: 1h0m0s is 1 h.
func short(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return d.String()
}

// say prints a line of the story. What does not fit goes below the text, right of its margin: the time, a
// mark, a label.
func say(a *app, line string) {
	if heading, ok := strings.CutPrefix(line, "── "); ok {
		fmt.Fprintln(a.out, a.bold("── "+heading))
		return
	}
	margin, text := margin(line)
	indent := utf8.RuneCountInString(margin)
	for i, l := range wrap(text, max(a.width-indent, 30)) {
		if i > 0 {
			margin = strings.Repeat(" ", indent)
		}
		fmt.Fprintln(a.out, paintMark(a, margin)+l)
	}
}

// widestMargin is how far right the text of a line may begin, in bytes.
const widestMargin = 32

// margin cuts a line where its text begins: after the last gap of two spaces or more, and after a mark.
func margin(line string) (before, text string) {
	at := 0
	if gap := strings.LastIndex(line[:min(len(line), widestMargin)], "  "); gap >= 0 {
		at = gap + 2
	}
	for _, mark := range []string{"✓ ", "✗ "} {
		if strings.HasPrefix(line[at:], mark) {
			at += len(mark)
		}
	}
	return line[:at], line[at:]
}

func paintMark(a *app, margin string) string {
	margin = strings.Replace(margin, "✓", a.paint("32", "✓"), 1)
	return strings.Replace(margin, "✗", a.paint("31", "✗"), 1)
}

// follow shows what firmward notices while a viewer breaks things, until ctx ends.
func (c *DemoCmd) follow(ctx context.Context, a *app, s *demo.Story) {
	last, err := s.Store.LastEvent(ctx)
	look := time.NewTicker(500 * time.Millisecond)
	defer look.Stop()
	for err == nil {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		var events []firmward.Event
		events, err = s.Store.EventsAfter(ctx, last, 100)
		for _, e := range events {
			last = e.Seq
			if e.Kind != "scan" && e.Kind != "finding" {
				say(a, e.At.Format("Mon 15:04  ")+e.Text)
			}
		}
	}
	if ctx.Err() == nil {
		fmt.Fprintln(a.err, "firmward: events cannot be shown any more:", err)
		<-ctx.Done()
	}
}
