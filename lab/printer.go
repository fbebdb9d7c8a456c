package lab

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"
)

// PrinterSpec describes an HP laser printer.
type PrinterSpec struct {
	Place
	Model      string // HP Color LaserJet MFP M478f if empty
	Version    string // the true firmware, as SNMP says it; 20200612 if empty
	IPPVersion string // what IPP says until the next update; as Version if empty
	Serial     string // made up if empty
}

// printer is a printer whose two protocols may contradict each other.
type printer struct {
	*Device
	factoryVersion string
	ippVersion     string
}

const printerBoot = 90 * time.Second

// AddPrinter adds a printer and boots it. It speaks SNMP v2c (community public), IPP, HTTP, and prints whatever
// arrives at port 9100: Facts counts every byte there as a page.
func (l *Lab) AddPrinter(spec PrinterSpec) (*Device, error) {
	spec.Model = or(spec.Model, "HP Color LaserJet MFP M478f")
	spec.Version = or(spec.Version, "20200612")
	d, err := l.add("printer", spec.Place, []byte{0x3c, 0x52, 0x82}, false, spec.Version) // Hewlett Packard
	if err != nil {
		return nil, err
	}
	p := &printer{Device: d, factoryVersion: spec.Version, ippVersion: or(spec.IPPVersion, spec.Version)}
	d.model, d.hardware, d.bootTime, d.byHand = spec.Model, "W1A78A", printerBoot, true
	d.serial = or(spec.Serial, fmt.Sprintf("VNB3%06d", d.random('s').IntN(1_000_000)))
	ipp := http.NewServeMux()
	ipp.HandleFunc("POST /ipp/print", p.serveIPP)
	d.services = []service{
		{name: "http", network: "tcp", port: 80, stream: d.serveHTTP(http.HandlerFunc(p.servePage))},
		{name: "snmp", network: "udp", port: 161, packet: func(c net.PacketConn) { serveDatagrams(c, p.answerSNMP) }},
		{name: "ipp", network: "tcp", port: 631, main: true, stream: d.serveHTTP(ipp)},
		d.announce(p.announced),
		{name: "raw", network: "tcp", port: 9100, stream: d.serveConns(p.print)},
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot()
	return d, nil
}

// announced is what the printer tells by multicast DNS. It has no firmware in it.
func (p *printer) announced() []mdnsService {
	return []mdnsService{{"_ipp._tcp", p.model, 631, []string{
		"txtvers=1", "rp=ipp/print", "ty=" + p.model, "product=(" + p.model + ")", "usb_MFG=HP", "usb_MDL=" + strings.TrimPrefix(p.model, "HP "), "UUID=" + p.uuid(),
	}}}
}

// print is what a printer does with a probe on its raw port.
func (p *printer) print(_ context.Context, c net.Conn) {
	b := make([]byte, 4096)
	for {
		n, err := c.Read(b)
		p.printed.Add(int64(n))
		if err != nil {
			return
		}
	}
}

func (p *printer) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "HP HTTP Server; "+p.model+" - W1A78A; Serial Number: "+p.serial)
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html")
	fmt.Fprintf(w, "<!DOCTYPE html><html><head><title>%s&nbsp;&nbsp;&nbsp;%s</title></head><body>%[1]s</body></html>\n",
		p.model, p.host.ifaces[0].addr)
}

// uuid is made of the hardware address, as HP does.
func (p *printer) uuid() string {
	return "564e4233-4e30-3436-3634-" + strings.ReplaceAll(p.host.ifaces[0].mac.String(), ":", "")
}

func (p *printer) answerSNMP(request []byte) []byte {
	p.mu.Lock()
	version, name := p.version(), p.name
	hardware := p.reportedHardware()
	uptime := int64(p.clock().Now().Sub(p.upSince).Milliseconds() / 10)
	now := p.now().UTC()
	p.mu.Unlock()
	const ent = "1.3.6.1.2.1.47.1.1.1.1."
	var m mib
	m.text("1.3.6.1.2.1.1.1.0", "HP ETHERNET MULTI-ENVIRONMENT,ROM none,JETDIRECT,JD153,EEPROM JSI24200009,CIDATE "+version)
	enterprise, _ := parseOID("1.3.6.1.4.1.11.2.3.9.1")
	m.add("1.3.6.1.2.1.1.2.0", tagOID, enterprise.encode())
	m.int("1.3.6.1.2.1.1.3.0", tagTimeTicks, uptime&(1<<32-1))
	m.text("1.3.6.1.2.1.1.4.0", "")
	m.text("1.3.6.1.2.1.1.5.0", name)
	m.text("1.3.6.1.2.1.1.6.0", "")
	m.int("1.3.6.1.2.1.1.7.0", tagInteger, 72)
	m.int("1.3.6.1.2.1.2.1.0", tagInteger, 1)
	m.int("1.3.6.1.2.1.2.2.1.1.1", tagInteger, 1)
	m.text("1.3.6.1.2.1.2.2.1.2.1", "HP ETHERNET MULTI-ENVIRONMENT")
	m.add("1.3.6.1.2.1.2.2.1.6.1", tagOctets, p.host.ifaces[0].mac)
	m.add("1.3.6.1.2.1.25.1.2.0", tagOctets, []byte{
		byte(now.Year() >> 8), byte(now.Year()), byte(now.Month()), byte(now.Day()),
		byte(now.Hour()), byte(now.Minute()), byte(now.Second()), 0,
	})
	m.text("1.3.6.1.2.1.25.3.2.1.3.1", p.model)
	m.int("1.3.6.1.2.1.25.3.2.1.5.1", tagInteger, 2) // running
	m.int("1.3.6.1.2.1.25.3.5.1.1.1", tagInteger, 3) // idle
	m.text("1.3.6.1.2.1.43.5.1.1.16.1", p.model)
	m.text("1.3.6.1.2.1.43.5.1.1.17.1", p.serial)
	m.int("1.3.6.1.2.1.43.10.2.1.4.1.1", tagCounter32, p.printed.Load()&(1<<32-1))
	m.text(ent+"2.1", p.model)
	m.text(ent+"7.1", p.model)
	m.text(ent+"8.1", hardware)
	m.text(ent+"10.1", version)
	m.text(ent+"11.1", p.serial)
	m.text(ent+"12.1", "HP")
	m.text(ent+"13.1", p.model)
	m.sort()
	return answerSNMP(request, "public", m)
}

func (p *printer) serveIPP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "application/ipp" {
		http.Error(w, "application/ipp is wanted", http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if err != nil {
		return
	}
	w.Header().Set("Content-Type", "application/ipp")
	_, _ = w.Write(answerIPP(body, p.attributes()))
}

// attributes are the printer's, none while it is busy.
func (p *printer) attributes() []ippAttribute {
	p.mu.Lock()
	busy := p.has(FaultBusy)
	version := p.version()
	if version == p.factoryVersion {
		version = p.ippVersion // the contradiction that ends with the first update
	}
	uptime := int(max(p.clock().Now().Sub(p.upSince).Seconds(), 1))
	p.mu.Unlock()
	if busy {
		return nil
	}
	uri := fmt.Sprintf("ipp://%s:631/ipp/print", p.host.ifaces[0].addr)
	return slices.Concat([]ippAttribute{
		ippStrings("charset-configured", ippCharset, "utf-8"),
		ippStrings("charset-supported", ippCharset, "us-ascii", "utf-8"),
		ippBool("color-supported", true),
		ippStrings("compression-supported", ippKeyword, "none"),
		ippStrings("document-format-default", ippMIME, "application/octet-stream"),
		ippStrings("document-format-supported", ippMIME, "application/octet-stream", "application/pdf"),
		ippStrings("generated-natural-language-supported", ippLanguage, "en"),
		ippStrings("ipp-versions-supported", ippKeyword, "1.1", "2.0"),
		ippStrings("natural-language-configured", ippLanguage, "en"),
		ippInt("operations-supported", ippEnum, ippGetPrinterAttributes),
		ippStrings("pdl-override-supported", ippKeyword, "attempted"),
		ippStrings("printer-device-id", ippText, fmt.Sprintf("MFG:HP;MDL:%s;CMD:PCL,PDF;CLS:PRINTER;SN:%s;",
			strings.TrimPrefix(p.model, "HP "), p.serial)),
		ippStrings("printer-firmware-name", ippName, "Main"),
		ippStrings("printer-firmware-string-version", ippText, version),
		ippStrings("printer-info", ippText, p.model),
		ippBool("printer-is-accepting-jobs", true),
		ippStrings("printer-location", ippText, ""),
		ippStrings("printer-make-and-model", ippText, p.model),
		ippStrings("printer-more-info", ippURI, fmt.Sprintf("http://%s/", p.host.ifaces[0].addr)),
		ippStrings("printer-name", ippName, p.name),
		ippInt("printer-state", ippEnum, 3),
		ippStrings("printer-state-reasons", ippKeyword, "none"),
		ippInt("printer-up-time", ippInteger, uptime),
		ippStrings("printer-uri-supported", ippURI, uri),
		ippStrings("printer-uuid", ippURI, "urn:uuid:"+p.uuid()),
		ippInt("queued-job-count", ippInteger, 0),
		ippStrings("uri-authentication-supported", ippKeyword, "none"),
		ippStrings("uri-security-supported", ippKeyword, "none"),
	}, ippCollection("media-col-default", ippStrings("media-type", ippKeyword, "stationery"), ippInt("media-top-margin", ippInteger, 423)))
}
