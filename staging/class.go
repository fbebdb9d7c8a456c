package staging

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/firmward/firmward"
)

// Unknown is the configuration class of a device of which nothing was seen.
const Unknown = "unknown"

// elsewhere are probes that tell of the link or of what is behind a device, not of how it is set up.
var elsewhere = [...]string{"neighbor", "listen", "mdns", "upnp"}

// settings are readings whose value is a choice that somebody made on the device and that does not change by itself.
var settings = [...]string{
	"shelly.auth_en", "http.status", "http.realm", "mqtt.connack", "modbus.unit", "tls.self-signed", "ssh.key-type",
}

// Class says how a device is set up, as far as it shows: which services answer and at which ports, what they say of who may enter,
// and its variant, its parts and whether it updates itself. Versions, names, addresses, times and counters are left out: two devices
// that do the same have the same class. A service that was never asked counts like one that is not there, and the differences
// between classes name it, so that a person sees it.
func Class(obs []firmward.Observation, id firmward.Identity) firmward.ConfigClass {
	var has []string
	for _, o := range obs {
		if o.Child != "" || o.Outcome != firmward.Answered || slices.Contains(elsewhere[:], o.Probe) {
			continue
		}
		if open, ok := o.Get("ports.open"); ok {
			for port := range strings.SplitSeq(open, ",") {
				if port != "" {
					has = append(has, "port "+port)
				}
			}
			continue
		}
		has = append(has, "answers "+o.Probe)
		for _, name := range settings {
			if v, ok := o.Get(name); ok {
				has = append(has, name+" "+v)
			}
		}
	}
	if len(has) == 0 {
		return firmward.ConfigClass{Class: Unknown}
	}
	for _, c := range id.Claims {
		switch part := c.Field.Part(); {
		case part != "":
			has = append(has, "part "+part)
		case c.Field == firmward.FieldVariant || c.Field == firmward.FieldAuto:
			if best, _ := id.Best(c.Field); best.Value == c.Value {
				has = append(has, string(c.Field)+" "+c.Value)
			}
		}
	}
	slices.Sort(has)
	has = slices.Compact(has)
	sum := sha256.Sum256([]byte(strings.Join(has, "\n")))
	return firmward.ConfigClass{Class: hex.EncodeToString(sum[:6]), Has: has}
}

// apart names what two configurations do not have in common, as sentences about the one that was tested.
func apart(tested, real firmward.ConfigClass) []string {
	switch {
	case tested.Class == real.Class && tested.Class != Unknown && tested.Class != "":
		return nil
	case real.Class == Unknown || real.Class == "":
		return []string{"how the device is set up is not known: nothing of it was seen"}
	case tested.Class == Unknown || tested.Class == "":
		return []string{"how the tested one was set up is not known"}
	}
	var lacks, more []string
	for _, h := range real.Has {
		if !slices.Contains(tested.Has, h) {
			lacks = append(lacks, h)
		}
	}
	for _, h := range tested.Has {
		if !slices.Contains(real.Has, h) {
			more = append(more, h)
		}
	}
	var out []string
	if len(lacks) > 0 {
		out = append(out, "the tested one lacks: "+strings.Join(lacks, ", "))
	}
	if len(more) > 0 {
		out = append(out, "the tested one has besides: "+strings.Join(more, ", "))
	}
	return out
}
