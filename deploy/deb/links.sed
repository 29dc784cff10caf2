# deploy/deb/links.sed: links of README.md and of the guide, as they hold in /usr/share/doc/naru.
s#deploy/guide/#guide/#g
s#deploy/DECISIONS\.md#DECISIONS.md#g
s#deploy/CHANGELOG\.md#changelog.gz#g
s#\]\(\.\./\.\./README\.md#](../README.md#g
s#\]\(\.\./systemd/#](/lib/systemd/system/#g
# What only the sources have is named, not linked.
s#\[([^]]*)\]\((broker|storage|cluster|test)/[^)]*\)#\1#g
