package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/httpapi"
)

// Exit codes (docs/cli.md).
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitForbidden   = 5
	exitUnavailable = 6
)

// Globals are the options of every command.
type Globals struct {
	Data        string `help:"Data directory." type:"path" env:"FIRMWARD_DATA" placeholder:"DIR" default:"${data}"`
	Server      string `help:"Use the server at this URL instead of the data directory." env:"FIRMWARD_SERVER" placeholder:"URL"`
	Token       string `help:"Token for --server." env:"FIRMWARD_TOKEN" placeholder:"fw_…"`
	Fingerprint string `help:"Fingerprint of the certificate of --server, as 'serve --tls-self-signed' shows it." name:"fingerprint" env:"FIRMWARD_FINGERPRINT" placeholder:"SHA256"`
	DB          string `help:"Database; an SQLite file in the data directory unless given." name:"db" env:"FIRMWARD_DB" placeholder:"postgres://…"`
	LabMap      string `help:"Reach simulated devices through this port map of 'lab serve', and no other device." name:"lab-map" env:"FIRMWARD_LAB_MAP" type:"path" placeholder:"FILE"`
	JSON        bool   `help:"One JSON object a line instead of a table." name:"json"`
}

// checkDB refuses what is no PostgreSQL URL: it would become a file of that name.
func (g Globals) checkDB() error {
	if g.DB == "" || strings.HasPrefix(g.DB, "postgres://") || strings.HasPrefix(g.DB, "postgresql://") {
		return nil
	}
	return usageError("--db wants the URL of a PostgreSQL database: postgres://user@host/name")
}

// CLI is the command line.
type CLI struct {
	Globals

	Serve   ServeCmd   `cmd:"" group:"run" help:"Run the server: loops, API and web app."`
	Helper  HelperCmd  `cmd:"" group:"run" help:"Run what needs rights of the system, so that the server needs none."`
	Version VersionCmd `cmd:"" group:"run" help:"Show the version."`
	Backup  BackupCmd  `cmd:"" group:"run" help:"Write an encrypted backup of the database."`
	Restore RestoreCmd `cmd:"" group:"run" help:"Read a backup into an empty data directory."`

	Networks    NetworksCmd    `cmd:"" group:"see" help:"Name the networks that firmward may look at."`
	Sites       SitesCmd       `cmd:"" group:"see" help:"Places with their clocks."`
	Scan        ScanCmd        `cmd:"" group:"see" help:"Look who is there and what they are."`
	Devices     DevicesCmd     `cmd:"" group:"see" help:"List, add and describe devices."`
	Device      DeviceCmd      `cmd:"" group:"see" help:"Show all that is known of one device, with the evidence."`
	Credentials CredentialsCmd `cmd:"" group:"see" help:"Store passwords of devices."`

	Feeds      FeedsCmd      `cmd:"" group:"know" help:"Import what the world knows about vulnerabilities."`
	Match      MatchCmd      `cmd:"" group:"know" help:"Judge lists of products, or compare versions, without a server."`
	Advisories AdvisoriesCmd `cmd:"" group:"know" help:"List advisories, or show one."`
	Findings   FindingsCmd   `cmd:"" group:"know" help:"List which advisories concern which devices."`
	Explain    ExplainCmd    `cmd:"" group:"know" help:"Tell why an advisory concerns a device, or why not; now or at an earlier time."`
	Exposure   ExposureCmd   `cmd:"" group:"know" help:"Tell how long findings have been open to the world."`

	Next       NextCmd       `cmd:"" group:"act" help:"Show the one next step of every device."`
	Accept     AcceptCmd     `cmd:"" group:"act" help:"Accept, defer or dismiss a risk for a time."`
	Exceptions ExceptionsCmd `cmd:"" group:"act" help:"What was accepted, deferred or dismissed, and what came of it."`
	Releases   ReleasesCmd   `cmd:"" group:"act" help:"Import firmware files."`
	Policy     PolicyCmd     `cmd:"" group:"act" help:"Check policy files."`
	Simulate   SimulateCmd   `cmd:"" group:"act" help:"Forecast a rollout on simulated devices: how long, how many at once, how many if it goes wrong."`
	Rollout    RolloutCmd    `cmd:"" group:"act" help:"Bring a release to devices, wave by wave."`
	Staging    StagingCmd    `cmd:"" group:"act" help:"Rehearse a release on spares, and see what that proved."`
	Stop       StopCmd       `cmd:"" group:"act" help:"The red button: nothing new starts anywhere."`
	Workorders WorkordersCmd `cmd:"" group:"act" help:"What people have to do."`
	Contain    ContainCmd    `cmd:"" group:"act" help:"Cut a device off."`
	Release    ReleaseCmd    `cmd:"" group:"act" help:"End a containment."`

	Audit   AuditCmd   `cmd:"" group:"prove" help:"Export and verify the audit log."`
	Report  ReportCmd  `cmd:"" group:"prove" help:"The monthly check, and evidence that anyone can verify."`
	Tokens  TokensCmd  `cmd:"" group:"prove" help:"Let people in."`
	Notices NoticesCmd `cmd:"" group:"prove" help:"Tell people: a digest, and at once what cannot wait."`
	Demo    DemoCmd    `cmd:"" group:"lab" help:"Tell the main job as a story on simulated devices."`
	Lab     LabCmd     `cmd:"" group:"lab" help:"Simulated devices to try things on."`
}

// app is what a command works with.
type app struct {
	*Globals
	in       io.Reader
	out, err io.Writer
	tty      bool // out is a terminal
	width    int
	client   *client
}

// defaultData is the data directory of this user.
func defaultData() string {
	if os.Geteuid() == 0 {
		return "/var/lib/firmward"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "firmward")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "firmward-data"
	}
	return filepath.Join(home, ".local", "share", "firmward")
}

// exited ends the parse when kong wants to exit, after help.
type exited int

// run parses and carries out one command line and gives the exit code.
func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) (code int) {
	var cli CLI
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(exited)
			if !ok {
				panic(v)
			}
			code = int(e)
		}
	}()
	parser, err := newParser(&cli, out, errOut)
	if err != nil {
		fmt.Fprintln(errOut, "firmward:", err)
		return exitError
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	kctx, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(errOut, "firmward:", parseText(err))
		if perr := (*kong.ParseError)(nil); errors.As(err, &perr) && perr.Context != nil {
			fmt.Fprintf(errOut, "Try 'firmward %s--help'.\n", commandOf(perr.Context))
		}
		return exitUsage
	}
	a := &app{Globals: &cli.Globals, in: in, out: out, err: errOut, width: 100}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		a.tty = true
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 60 {
			a.width = min(w, 160)
		}
	}
	a.client = newClient(a)
	kctx.BindTo(ctx, (*context.Context)(nil))
	if err = cli.checkDB(); err == nil {
		err = kctx.Run(a)
	}
	if cerr := a.client.close(ctx); err == nil {
		err = cerr
	}
	return a.report(ctx, err)
}

// parseText leaves out what the parser adds for itself: the empty choice, the name of a file argument.
func parseText(err error) string {
	text := strings.Replace(err.Error(), `must be one of "",`, "must be one of ", 1)
	for _, arg := range []string{"<file>: ", "<file> ...: "} {
		text = strings.TrimPrefix(text, arg)
	}
	return strings.TrimPrefix(text, "stat ")
}

func commandOf(ctx *kong.Context) string {
	var b strings.Builder
	for _, p := range ctx.Path {
		if p.Command != nil {
			b.WriteString(p.Command.Name + " ")
		}
	}
	return b.String()
}

func newParser(cli *CLI, out, errOut io.Writer) (*kong.Kong, error) {
	return kong.New(cli,
		kong.Name("firmward"),
		kong.Description("Keeps every connected device patched, or safe while it cannot be.\n\nBegin with: firmward scan 192.168.1.0/24 --site home --profile home, then: firmward next"),
		kong.Vars{"data": defaultData()},
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { panic(exited(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.ExplicitGroups([]kong.Group{
			{Key: "run", Title: "Run it"},
			{Key: "see", Title: "See what is there"},
			{Key: "know", Title: "Know what is wrong"},
			{Key: "act", Title: "Do the next step"},
			{Key: "prove", Title: "Prove and control"},
			{Key: "lab", Title: "Try it"},
		}),
	)
}

// report says what went wrong and picks the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return exitOK
	}
	if quiet, ok := errors.AsType[exitWith](err); ok {
		return int(quiet)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintln(a.err, "firmward: interrupted")
		return exitError
	}
	fmt.Fprintln(a.err, "firmward:", err)
	if hint := hintFor(err); hint != "" {
		fmt.Fprintln(a.err, "  "+hint)
	}
	return exitOf(err)
}

// exitWith ends a command that has said everything already.
type exitWith int

func (exitWith) Error() string { return "" }

func exitOf(err error) int {
	switch firmward.CodeOf(err) {
	case firmward.Refused:
		return exitRefused
	case firmward.NotFound:
		return exitNotFound
	case firmward.Unauthorized, firmward.Forbidden:
		return exitForbidden
	case firmward.Unavailable, firmward.Locked, firmward.NewerSchema, firmward.DiskFull:
		return exitUnavailable
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	return exitError
}

func hintFor(err error) string {
	switch firmward.CodeOf(err) {
	case firmward.Unauthorized:
		return "An administrator makes tokens: firmward tokens add NAME --role viewer. Give yours with --token or FIRMWARD_TOKEN."
	}
	return ""
}

// usageError is a command line that the parser cannot find wrong by itself.
type usageError string

func (e usageError) Error() string { return string(e) }

// commands lists all commands for the start page.
func commands() []httpapi.Command {
	var cli CLI
	parser, err := newParser(&cli, io.Discard, io.Discard)
	if err != nil {
		return nil
	}
	var out []httpapi.Command
	for _, n := range parser.Model.Children {
		out = append(out, httpapi.Command{Name: n.Name, Help: n.Help})
	}
	return out
}
