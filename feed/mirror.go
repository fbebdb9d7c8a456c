package feed

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/firmward/firmward"
)

// What a file of a collection is, by its name. A mirror of a CSAF provider has its documents in folders by year, with
// hashes and a signature beside each, and indexes above them (CSAF 2.0 §7.1).
const (
	isAside = iota
	isDocument
	isHash
	isSignature
	isList     // index.txt, changes.csv
	isProvider // provider-metadata.json
	isPage     // Markdown: a document where front matter stands at its head
)

func role(name string) int {
	base := strings.ToLower(path.Base(name))
	switch base {
	case "index.txt", "changes.csv":
		return isList
	case "provider-metadata.json":
		return isProvider
	case "aggregator.json", "service.json", "delta.json", "deltalog.json", "recent_activities.json":
		return isAside
	}
	switch ext := path.Ext(strings.TrimSuffix(base, ".gz")); ext {
	case ".sha256", ".sha512":
		return isHash
	case ".asc":
		return isSignature
	case ".json", ".jsonl", ".csv":
		return isDocument
	case ".md":
		return isPage
	}
	return isAside
}

// frontMatter knows Markdown whose head is data. All other Markdown is for people: a README is no broken document.
func frontMatter(head []byte) bool {
	return bytes.HasPrefix(head, []byte("---\n")) || bytes.HasPrefix(head, []byte("---\r\n"))
}

// page looks into a file of Markdown.
func page(e entry) (bool, error) {
	in, err := e.open()
	if err != nil {
		return false, err
	}
	defer in.Close()
	head := make([]byte, 5)
	n, err := io.ReadFull(in, head)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return frontMatter(head[:n]), err
}

// listing is one document that an index names.
type listing struct {
	index string
	name  string // as the index has it: a path from the folder of the index, or from above
}

// take reads what stands beside the documents.
func (c *Collection) take(what int, name string, b []byte) error {
	switch what {
	case isHash:
		doc := strings.TrimSuffix(name, path.Ext(name))
		c.hashes[doc] = append(c.hashes[doc], hashOf(b))
	case isList:
		return c.list(name, b)
	case isProvider:
		c.Aside++
		return provider(b)
	}
	return nil
}

// list reads index.txt, one path a line, or changes.csv, a path and a time a line.
func (c *Collection) list(name string, b []byte) error {
	c.Aside++
	if path.Ext(name) == ".txt" {
		for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
			if l := strings.TrimSpace(lines.Text()); l != "" {
				c.listed = append(c.listed, listing{name, l})
			}
		}
		return nil
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	for _, r := range rows {
		if len(r) != 2 {
			return fmt.Errorf("a line has %d columns, not a path and a time", len(r))
		}
		c.listed = append(c.listed, listing{name, r[0]})
	}
	return err
}

// provider checks a provider's metadata: who provides, by what name. Nothing else of it is used.
func provider(b []byte) error {
	var p struct {
		Canonical string `json:"canonical_url"`
		Publisher struct {
			Namespace string `json:"namespace"`
		} `json:"publisher"`
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return err
	}
	for _, u := range []string{p.Canonical, p.Publisher.Namespace} {
		if parsed, err := url.Parse(u); err != nil || parsed.Host == "" {
			return fmt.Errorf("canonical_url or the publisher's namespace is no URL: %q", Clip(u))
		}
	}
	return nil
}

var rolie = regexp.MustCompile(`^\s*\{\s*"(?:feed|service|categories)"\s*:`)

// isIndex knows a ROLIE feed, service or category document (RFC 8322, in JSON as CSAF 2.0 §7.1.15 has it).
func isIndex(head []byte) bool { return rolie.Match(head) }

// rolie takes the documents that a ROLIE feed names. They are known by their file name: the feed has addresses.
func (c *Collection) rolie(d *Document, name string) error {
	b, err := io.ReadAll(io.LimitReader(d, maxBeside+1))
	if err == nil && len(b) > maxBeside {
		err = fmt.Errorf("the index has more than %d bytes", maxBeside)
	}
	var in struct {
		Feed struct {
			Entry []struct {
				Content struct {
					Source string `json:"src"`
				} `json:"content"`
			} `json:"entry"`
		} `json:"feed"`
	}
	if err == nil {
		err = json.Unmarshal(b, &in)
	}
	for _, e := range in.Feed.Entry {
		if u, err := url.Parse(e.Content.Source); err == nil && e.Content.Source != "" {
			c.listed = append(c.listed, listing{name, path.Base(u.Path)})
		}
	}
	return err
}

// missing are the listed documents that were not met, each once. A listed path counts from the folder of its index;
// some count from folders above, so a path that ends like it will do.
func (c *Collection) missing() []string {
	if len(c.listed) == 0 {
		return nil
	}
	ends := map[string]bool{}
	for name := range c.there {
		for end := name; ; {
			ends[end] = true
			_, rest, ok := strings.Cut(end, "/")
			if !ok {
				break
			}
			end = rest
		}
	}
	var out []string
	for _, l := range c.listed {
		want := path.Clean(l.name)
		for end := want; !ends[want]; { // the index may count from a folder that is above all of this
			_, rest, ok := strings.Cut(end, "/")
			if !ok {
				out = append(out, path.Join(path.Dir(l.index), want))
				break
			}
			if end = rest; strings.Contains(end, "/") && ends[end] {
				break
			}
		}
	}
	return Unique(out)
}

// errHash says that a document is not the one that was published.
var errHash = errors.New("its content does not fit the hash beside it: fetch it again")

// hashOf reads the content of a file with a hash: the hash and perhaps a name.
func hashOf(b []byte) string {
	sum, _, _ := strings.Cut(strings.TrimSpace(string(b)), " ")
	sum = strings.ToLower(sum)
	if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size && len(raw) != sha512.Size {
		return "-" // a hash that cannot be read fits nothing
	}
	return sum
}

// CheckHash checks a document against the content of its file of SHA-256 or SHA-512. The error is Invalid when it does not fit.
func CheckHash(r io.Reader, file []byte) error {
	if _, err := hashed(r, []string{hashOf(file)}); err != nil {
		return &firmward.Error{Code: firmward.Invalid, Message: "check the document", Err: err}
	}
	return nil
}

// hashed reads a document whole and checks it.
func hashed(r io.Reader, want []string) (io.Reader, error) {
	b, err := readWhole(r)
	if err != nil {
		return nil, err
	}
	short, long := sha256.Sum256(b), sha512.Sum512(b)
	for _, w := range want {
		if w != hex.EncodeToString(short[:]) && w != hex.EncodeToString(long[:]) {
			return nil, errHash
		}
	}
	return bytes.NewReader(b), nil
}

// readWhole reads a document that is to be checked.
func readWhole(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxHashed+1))
	if err == nil && len(b) > maxHashed {
		err = fmt.Errorf("it has more than %d bytes, too many to check", maxHashed)
	}
	return b, err
}
