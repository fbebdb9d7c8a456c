package endoflife

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/firmward/firmward"
	"github.com/firmward/firmward/feed"
)

// Pages reads the product pages of the project's repository, one product each.
type Pages struct{}

// Info declares the source. It is one feed with the dump.
func (Pages) Info() feed.Info {
	i := Source{}.Info()
	i.Whole, i.URLs = false, nil
	return i
}

// maxPage bounds the bytes of a page; the largest real one has 122 kB.
const maxPage = 4 << 20

// marks are the members at the head of each page that together no other Markdown has.
var marks = []*regexp.Regexp{
	regexp.MustCompile(`(?m)^title:`), regexp.MustCompile(`(?m)^category:`), regexp.MustCompile(`(?m)^permalink: */`),
	regexp.MustCompile(`(?m)^(?:addedAt|releases):`),
}

// Detect looks for what a product page has at its head.
func (Pages) Detect(head []byte, _ string) bool {
	if !bytes.HasPrefix(head, []byte("---\n")) && !bytes.HasPrefix(head, []byte("---\r\n")) {
		return false
	}
	for _, m := range marks {
		if !m.Match(head) {
			return false
		}
	}
	return true
}

// Sync reads one page. Its date and the cursor are the newest day of a release in it that has come.
func (Pages) Sync(ctx context.Context, _ feed.Cursor, in feed.Input, put feed.Sink) (feed.Cursor, error) {
	put = put.Complete()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(in.Reader, maxPage+1))
	fail := func(offset int, err error) error {
		return &feed.PositionError{Document: in.Document, Offset: int64(offset), Err: err}
	}
	if _, done := errors.AsType[*firmward.Error](err); done {
		return "", err
	}
	switch {
	case err != nil:
		return "", fail(len(text), err)
	case len(text) > maxPage:
		return "", fail(maxPage, fmt.Errorf("a page has more than %d bytes", maxPage))
	}
	head, at, err := frontMatter(text)
	if err != nil {
		return "", fail(at, err)
	}
	p, dated, line, err := page(head, in.Now)
	if err != nil {
		return "", fail(at+lineStart(head, line), err)
	}
	put.Dated(dated)
	return feed.Cursor(dated.Format(time.DateOnly)), deliver(p.lifecycles(put), dated, in.Now, put)
}

// frontMatter gives what stands between the first two lines "---", and where that begins or is missed.
func frontMatter(text []byte) (head []byte, at int, err error) {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	if string(bytes.TrimSuffix(first, []byte("\r"))) != "---" || len(first) == len(text) {
		return nil, 0, errors.New(`this is no product page of endoflife.date: its first line is not "---"`)
	}
	at = len(first) + 1
	for end := at; end < len(text); {
		line, _, _ := bytes.Cut(text[end:], []byte("\n"))
		if string(bytes.TrimSuffix(line, []byte("\r"))) == "---" {
			return text[at:end], at, nil
		}
		end += len(line) + 1
	}
	return nil, len(text), io.ErrUnexpectedEOF
}

// lineStart gives the offset of a line, counted from 1; of what lies outside, 0.
func lineStart(text []byte, line int) int {
	at := 0
	for ; line > 1; line-- {
		n := bytes.IndexByte(text[at:], '\n')
		if n < 0 {
			return 0
		}
		at += n + 1
	}
	return at
}

// atLine is how the library says where a text is no YAML.
var atLine = regexp.MustCompile(`^yaml: (?:.*: )?line (\d+): `)

// page reads the head of a page. line is where it is broken, counted from the head's first, 0 where that is not known.
func page(head []byte, now time.Time) (p product, dated time.Time, line int, err error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(head, &doc); err != nil {
		if m := atLine.FindStringSubmatch(err.Error()); m != nil {
			line, _ = strconv.Atoi(m[1])
		}
		return p, dated, line, err
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return p, dated, 0, errors.New("this is no product page of endoflife.date: its head holds no members")
	}
	var link string
	var releases *yaml.Node
	newest := func(n *yaml.Node) {
		if m, err := when(n); err == nil && m.day.After(dated) && !feed.Future(m.day, now) {
			dated = m.day
		}
	}
	members := doc.Content[0].Content
	for i := 0; i+1 < len(members); i += 2 {
		value := members[i+1]
		switch members[i].Value {
		case "title":
			p.title = plainText(value)
		case "category":
			p.category = plainText(value)
		case "permalink":
			link = plainText(value)
		case "addedAt":
			newest(value)
		case "identifiers":
			p.cpes = append(p.cpes, cpes(value)...)
		case "releases":
			releases = value
		}
	}
	if p.name = strings.TrimPrefix(link, "/"); releases != nil && releases.Kind == yaml.SequenceNode {
		for i, n := range releases.Content {
			for _, day := range []string{"releaseDate", "latestReleaseDate"} {
				newest(member(n, day))
			}
			p.releases = append(p.releases, unread{fmt.Sprintf("release %d, line %d", i+1, n.Line+1), func() (release, error) { return cycle(n) }})
		}
	}
	err = p.check()
	if err == nil && dated.IsZero() {
		err = errors.New("no day stands in it: nobody knows how old it is")
	}
	if err != nil {
		return p, dated, 0, fmt.Errorf("this is no product page of endoflife.date: %w", err)
	}
	return p, dated, 0, nil
}

// cycle reads one release of a page.
func cycle(n *yaml.Node) (release, error) {
	if n.Kind != yaml.MappingNode {
		return release{}, errors.New("it has no members")
	}
	r := release{cycle: plainText(member(n, "releaseCycle")), latest: plainText(member(n, "latest"))}
	if member(n, "eol") == nil {
		return release{}, errors.New("it does not say eol")
	}
	for _, m := range []struct {
		name string
		into *moment
	}{{"eoas", &r.eoas}, {"eol", &r.eol}, {"eoes", &r.eoes}, {"discontinued", &r.discontinued}} {
		var err error
		if *m.into, err = when(member(n, m.name)); err != nil {
			return release{}, fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return r, nil
}

// member gives the value of a member of a mapping, nil where there is none.
func member(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i+1]
		}
	}
	return nil
}

// plainText gives a value as it is written: "7.10" without quotes stays that and is no number. Lists and members give none.
func plainText(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
		return ""
	}
	return n.Value
}

// when reads a day, true or false.
func when(n *yaml.Node) (moment, error) {
	switch {
	case n == nil || n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return moment{}, nil
	case n.Kind != yaml.ScalarNode:
		return moment{}, errors.New("it is neither a day nor true or false")
	case n.ShortTag() == "!!bool":
		var over bool
		err := n.Decode(&over)
		return moment{over: over}, err
	}
	return on(n.Value)
}

// cpes gives the CPE names of a list of identifiers.
func cpes(list *yaml.Node) (out []string) {
	for _, n := range list.Content {
		if id := plainText(member(n, "cpe")); id != "" {
			out = append(out, id)
		}
	}
	return out
}
