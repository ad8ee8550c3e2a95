#!/bin/sh
# Makes what a deployment keeps secret: passwords, tokens, a house CA, and certificates of the servers signed by it.
#
#   deploy/make-secrets.sh NAME [NAME ...]        names (or addresses) by which browsers reach the pages
#
# What exists is never written over. To renew a certificate, move it away and run this again: the key stays, and so does
# whoever trusts the CA. Run as root, each file becomes its reader's in docker-compose.yml and nobody else's.
# SECRETS (./secrets), DAYS (397) and CA_DAYS (3650) may be set.
set -eu
umask 077

[ $# -gt 0 ] || { echo "say by which names browsers reach the pages, e.g. $0 lab.example 192.0.2.10" >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is missing; install it" >&2; exit 1; }
for name in "$@"; do
  case $name in
    *[!a-z0-9.:-]* | '' | -*) echo "'$name' is no host name or address; write it small, without scheme and port" >&2; exit 2 ;;
  esac
done

folder=${SECRETS:-secrets}
days=${DAYS:-397}
ca_days=${CA_DAYS:-3650}
mkdir -p "$folder/ca"
cd "$folder"

# The users of the containers, by number: app, influxdb, postgres, mosquitto, grafana.
app=10001 influxdb=1000 postgres=999 mosquitto=1883 grafana=472

own() { # FILE USER GROUP MODE
  chmod "$4" "$1"
  [ "$(id -u)" != 0 ] || chown "$2:$3" "$1"
}

random() { # FILE USER GROUP MODE: 256 random bits
  if [ ! -e "$1" ]; then
    openssl rand -hex 32 >"$1.new"
    mv "$1.new" "$1"
    echo "made $1" >&2
  fi
  own "$@"
}

key() { # FILE
  [ -e "$1" ] || { openssl ecparam -name prime256v1 -genkey -noout -out "$1.new"; mv "$1.new" "$1"; echo "made $1" >&2; }
}

alternatives() { # NAMES: as a certificate lists them
  list=
  for name in "$@"; do
    case $name in
      *:* | *[0-9].[0-9]*.[0-9]*.*[0-9]) kind=IP ;;
      *) kind=DNS ;;
    esac
    case $name in *[!0-9a-f.:]*) kind=DNS ;; esac
    list=$list${list:+,}$kind:$name
  done
  echo "$list"
}

certificate() { # NAME FOR...: key NAME.key and certificate NAME.pem with the CA's behind it
  name=$1
  shift
  key "$name.key"
  if [ -e "$name.pem" ]; then
    for host in "$@"; do
      case $(alternatives "$host") in IP:*) check=-checkip ;; *) check=-checkhost ;; esac
      case $(openssl x509 -in "$name.pem" -noout $check "$host") in
        *"does match"*) ;;
        *) echo "$name.pem is not for $host: move it away and run this again" >&2 ;;
      esac
    done
    return 0
  fi
  [ -e ca/ca.key ] || { echo "$name.pem is missing, and so is $folder/ca/ca.key, which signs it; bring it back" >&2; exit 1; }
  printf '%s\n' "subjectAltName=$(alternatives "$@")" basicConstraints=critical,CA:false \
    keyUsage=critical,digitalSignature extendedKeyUsage=serverAuth subjectKeyIdentifier=hash \
    authorityKeyIdentifier=keyid >"$name.ext"
  openssl req -new -key "$name.key" -subj "/CN=$1" -out "$name.csr"
  openssl x509 -req -in "$name.csr" -CA house_ca.pem -CAkey ca/ca.key -set_serial "0x$(openssl rand -hex 16)" -sha256 \
    -days "$days" -extfile "$name.ext" -out "$name.new" 2>/dev/null
  cat house_ca.pem >>"$name.new"
  mv "$name.new" "$name.pem"
  rm -f "$name.ext" "$name.csr"
  echo "made $name.pem for $*, good for $days days" >&2
}

if [ ! -e house_ca.pem ]; then
  key ca/ca.key
  printf '%s\n' '[req]' distinguished_name=name '[name]' '[ca]' basicConstraints=critical,CA:true,pathlen:0 \
    keyUsage=critical,keyCertSign,cRLSign subjectKeyIdentifier=hash >ca/ca.cnf
  openssl req -x509 -new -key ca/ca.key -sha256 -days "$ca_days" -subj "/CN=House CA of $1" -config ca/ca.cnf \
    -extensions ca -out house_ca.new
  mv house_ca.new house_ca.pem
  rm -f ca/ca.cnf
  echo "made house_ca.pem: give it to the browsers; take ca/ca.key to a safe place off this machine" >&2
fi

certificate web "$@"
certificate mosquitto mosquitto localhost 127.0.0.1 "$@"

random influxdb_admin_password $influxdb $influxdb 400
random influxdb_admin_token $influxdb $influxdb 400
random influxdb_token $app $app 400 # of no use until the server has made one: docs/how-to/deploy-one-box.md
random influxdb_reader_password $grafana $influxdb 440
random postgres_password $postgres $postgres 400
random postgres_owner_password $app $postgres 440
random postgres_app_password $app $postgres 440
random mqtt_password $app $app 400
random mqtt_reader_password 0 0 400
random metrics_token $app $app 400
random grafana_password $grafana $grafana 400

# What the broker keeps of each password: $6$, salted SHA-512, which is enough for 256 random bits.
if [ ! -e mosquitto_passwd ]; then
  for name in cultureops:mqtt_password reader:mqtt_reader_password; do
    salt=$(openssl rand -base64 12)
    hash=$({ tr -d '\n' <"${name#*:}"; printf %s "$salt" | openssl base64 -d -A; } | openssl dgst -sha512 -binary | openssl base64 -A)
    # shellcheck disable=SC2016
    printf '%s:$6$%s$%s\n' "${name%%:*}" "$salt" "$hash"
  done >mosquitto_passwd.new
  mv mosquitto_passwd.new mosquitto_passwd
  echo "made mosquitto_passwd" >&2
fi

own house_ca.pem 0 0 444
own web.pem 0 0 444
own mosquitto.pem 0 0 444
own web.key $app $app 400
own mosquitto.key $mosquitto $mosquitto 400
own mosquitto_passwd $mosquitto $mosquitto 400
chmod 755 .
[ ! -d ca ] || chmod 700 ca
if [ "$(id -u)" != 0 ]; then
  echo "not root: the files stay yours; the containers can't read them until root has run this once more" >&2
fi
