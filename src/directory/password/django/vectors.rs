//! Hashes made by Django, with their passwords: Django 5.2.19 and 4.2.30, argon2-cffi 25.1.0, bcrypt 5.0.0. Except for the
//! first password, the cost is below Django's defaults, to keep the tests fast.

pub(super) const HORSE: &str = "correct horse battery staple";
pub(super) const POLISH: &str = "Zażółć gęślą jaźń 🐎";
/// Longer than the 72 bytes that bcrypt uses.
pub(super) const LONG: &str =
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxthe end";
pub(super) const EMPTY: &str = "";

#[rustfmt::skip]
pub(in crate::directory::password) const VECTORS: &[(&str, &str)] = &[
    // Django 5.2.
    (HORSE, "pbkdf2_sha256$1000000$Fmq9ONrHVPGLKXEcstf4Um$r0zIbHn9qB8cRgxWBeJdslUOKhihjI6+YlMvZ4XYhqM="),
    (HORSE, "pbkdf2_sha1$1000000$e6nQidFVo19sWbhMCqDdL4$BC3UyvxnJzOgD7ayD2ODDiW7Iao="),
    (HORSE, "argon2$argon2id$v=19$m=102400,t=2,p=8$aGg4cld5UDVZd1pxVG9pMW9CVGd0dg$/r6GD9gfHYo/W25QC+POU+qX/jlHVCjjlq0qkR873u8"),
    (HORSE, "bcrypt_sha256$$2b$12$oXtcIs/.hlzT2yLPDS6M2.AFzCYMY7C0hzedwl6PaWzr539gdI242"),
    (HORSE, "bcrypt$$2b$12$FAokug542PK2TYefSH7GyefBt5NUIjgW.mOF0Tjy.0pk/ggfS4uLe"),
    (HORSE, "scrypt$16384$RBn39B0O7Y4qiddE8hCUtd$8$5$vpZn3+AN/jOErvGvs0gATqLGhdKbng9XbjEXxrrGsZLa47iKnJGsdwmPXbLl1/0JmlQhE9PqClzxiEtW5i+BAg=="),
    (POLISH, "pbkdf2_sha256$1000$sguB1cesnsQZvkOcImGKnh$JJ7PUMtEdR+uf1sF6unc32SMF6ofSOHi65nHjvhsZoA="),
    (POLISH, "pbkdf2_sha1$1000$IEv9svVyaJe6Sn9BjuMF4b$Lk0MVcrlrZXb/kvYsn8wWQ0YKlQ="),
    (POLISH, "argon2$argon2id$v=19$m=1024,t=2,p=8$VXZPS2t0NDdPaE5KVXVteW15VXpONg$K9UzLmhUVgNp5XkOb1vJvILZt9zwEjDR8MR5hd8HYzY"),
    (POLISH, "bcrypt_sha256$$2b$04$59MGIrC9hjgbhYaqVVI06eaq1KmQTnumteDsLWmaEDsMN2ec1Tf4W"),
    (POLISH, "bcrypt$$2b$04$dqVYqC4sfccxbPej6NPcsO0yaztl3wkxaY9QR8H4MTOb9hQoO/OiW"),
    (POLISH, "scrypt$1024$PyhVzVZZcyXUfZubwJam0p$8$5$ckC0/NvJY05Ds/h++8LjEZkCRLSVsz9ti3WxwAoBLUtPDVHkxKpfhkZFrIUBzxS2hzFrJ/8DHAeFHmolFZaYaA=="),
    (LONG, "pbkdf2_sha256$1000$1ozRHGP4gqa1R9sNywHo9F$CNIwGtBOMAlsYeMsqRH4Re0n+7GGYBMYXUyr4F/unQA="),
    (LONG, "pbkdf2_sha1$1000$N1Lw353k2wMOV0HxrtjVLz$jNhP5YxH2p4hzHZT/lkqv/ND/f0="),
    (LONG, "argon2$argon2id$v=19$m=1024,t=2,p=8$SXVrY3ZCTXlyQWhZWTRHanh0a3VjNw$vbpF0SvgMuroJHFqJ/se7Yps0Sfc/qToBtMrocOnpl4"),
    (LONG, "bcrypt_sha256$$2b$04$wu7UgZox8rXS/MyA.15lp.K084rf8axpj19v0WFaBpAui8Bs900eK"),
    (LONG, "bcrypt$$2b$04$9eaOPoBtZisck4jNvzVFr.LbwZx9OkAuQSWlk8IDO12t7e.DvVule"),
    (LONG, "scrypt$1024$40XSQYdqGn71wgmH3hKA6q$8$5$RRxJPAp4O7/xcxlo5fltPJC+LhW52J0VFXr5x3wjEMv4ZF6BU61vG5OlsZBAiZ8SHSi9VciIoEOnACxFvgqS6g=="),
    (EMPTY, "pbkdf2_sha256$1000$hFtXTV43oYiAx8odVeQS77$11Xn8bwI89B7dFaihjaUnIfGUHyDtViS29Un5to7lPA="),
    (EMPTY, "pbkdf2_sha1$1000$MOJjjz7OAwUKKL31lNf7v3$EuciHuHruznnjtdXsPpBnIIPNCI="),
    (EMPTY, "argon2$argon2id$v=19$m=1024,t=2,p=8$aXdMalJadUJsY1g5SXE2YjluVGV2Vw$S9PRkNj7GAIahVnCX5DLLo6sBCMlbwl4y2EhWH51rKI"),
    (EMPTY, "bcrypt_sha256$$2b$04$32MuNs0tfbANXoiwuON4f.rPZaz5aP1uZO3ijRlEJu0.212fMJh/u"),
    (EMPTY, "bcrypt$$2b$04$uFUvD3tUjqbfxA.W4.sNC..PE/RUQFgXcOsEGoWdLbbUfgXaxqbuq"),
    (EMPTY, "scrypt$1024$CSoOSc5hSAubiKL0zNColC$8$5$nT/3oWSmZXjfUil3ycwtNptn16rJLL0L4rbxxtgemp6J/8xmFrTxe+Q+9HU0wxi/F3cy1J9FtuMcQ4EBR81gxA=="),
    // Made with argon2-cffi and bcrypt alone: older kinds and versions.
    (HORSE, "argon2$argon2i$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$glncjhLV4XCz5WjLKCD1Ug"),
    (HORSE, "argon2$argon2d$v=19$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$PBau2rxoBV9Bejmjsl/FoQ"),
    (HORSE, "argon2$argon2i$v=16$m=512,t=2,p=2$c2FsdHNhbHRzYWx0$FjGF3joJRdHT2J75XxhkCw"),
    // Without salt: made with Python's hashlib, Django would not.
    (HORSE, "pbkdf2_sha256$1000$$DbQBhB7upWy2RpkV+2fV0tYH6JHT/pdAPXfJu/aKCto="),
    (HORSE, "bcrypt$$2a$04$WbMqsNYjkwx3AulJHa5vu.wZnihCoBveYOZGuCmK6xttzVHMzQawK"),
    (HORSE, "bcrypt$$2b$04$luciJMkyqqXn2t08jymkoeh2KlkK5PtGyzX67XwqX0k.YK935wtmS"),
    (HORSE, "bcrypt$$2y$04$Ry2wnSjkRg.82FYlyQtEJ.mlYYNesKQ5rn54ZCZ2bbYaloH5W3fD2"),
    // Django 4.2.
    (HORSE, "pbkdf2_sha256$600000$l6rHQQNSaOij9oH2vhVx67$Py2xWmzeYGcfxKYB3hFk77yhGM2cYvWOAQycpH0LctQ="),
    (HORSE, "pbkdf2_sha1$600000$wS00XbTBClllrRTs88WeBs$b2a4B5rqccM6Qg6Z1/nkf81qFjs="),
    (HORSE, "argon2$argon2id$v=19$m=102400,t=2,p=8$WHU2a3lLbFY4d2lTTGdTOWszU0FYZg$4rTzsfuXe6ZaeKRFIHrNPVypu7RWk11lP9kFJ3dYSlY"),
    (HORSE, "bcrypt_sha256$$2b$12$h0GSgcuw42BPBwlNmCF53erd1qs6xxOfNgZGKbAM0WHdzkPTe.ZUi"),
    (HORSE, "bcrypt$$2b$12$xtBLQICcM8ZFEgavHD7AMeMlYdmCGJt8vCwHHOMv8nLBLDYuaFMi."),
    (HORSE, "scrypt$16384$yhaaNxxKuQ9awUNsC70Xmf$8$1$Dr//KoLbAO0nvjMQH/pxUG3GqZBfAx6JHtUVCbzHwNbH8UncS2wg3ZxxWsDTUzV+953VefXKwRuY+gXSEPbUlw=="),
];
