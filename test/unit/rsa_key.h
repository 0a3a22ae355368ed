/* rsa_key.h: keys made for these tests with openssl genpkey; nothing anywhere trusts them. */
#ifndef SLUICE_TEST_RSA_KEY_H
#define SLUICE_TEST_RSA_KEY_H

/* 2048 bits, PKCS#8: the form in which Google hands keys out. */
#define RSA_KEY                                                          \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQCz8ETIjCZhqZP8\n" \
    "5ssUBOLWzUG/XaUqDBlBUR0+O8gigZ+iqOOQ2luzLvc0L/ruGCP1yBKPt2D236Aq\n" \
    "GkM6MRu9XPKFaezB+K0P3+xq5kyZ6MzPQby1FKDvFzX6/XyFlQs5DPnHJlgv56+7\n" \
    "QDRKXFnzHLGCNLmd8dhBIzQ4l5EuUH46/hEZAArIAaLMZ+lwa8tALWJRwc60j4uM\n" \
    "Ik5Lw/7WkUapx+/HVOYW6ORnoExsJmfxmvWn3gXNFOcOmdt83pbPbavpgkrcRii3\n" \
    "BUoo17CZNjPoPp1LOjzomjvrUHSNqAkbS3PALVhRzQ+yrYl4eK4UcGdUAs41MMf+\n" \
    "3GpFt4E1AgMBAAECggEAA18hKtDVd0cCKt74NyvQRE4cSUWr7pnDb2HhtmTQXzUm\n" \
    "lJmtie1NgpICt8ueXA+/vL8++cpp2rZd/ev4DoMVDftL4AwYD5plQ8LiXy5piQi/\n" \
    "rbKBorL8QP6iWE2fo7EjQLJpi73AMUWaGVwenrYUSWXkPZhXUgpSDwZl2Bme8ssv\n" \
    "PyzXeLw20s+uV0uZVeqyMKaE5/kIyNIZcyreGd/oAsc2OTsJvqFIzi3gCC+q3s8y\n" \
    "7Rft5+y1wZosqWU6Hkp5rJh32NucDehRPj91YW4JHWzl2OLaF2pTkoTZ2oxe/EFh\n" \
    "SWZqiru5qkMTD4m1B4w5sai79WFwoBVH4RdzfeNEEQKBgQDqgbmOb0u00kZUy32a\n" \
    "pfEyg1MmHSN+LUBlyWJyQeLpgdYCD5iUCeDhw88d9/voBUz7eXKGuwM3kqmNJVSb\n" \
    "i70Rkjzjx2BhmWO4E/+v09ZMXA8v9Sy69JkMzPA/DV22iBbp+GLfthbNc3YmfT/g\n" \
    "jcVk2EW0LJO47EHOBa7ukN/yqwKBgQDEbjNH9nyO3dxrZxPevEvgllio7IAjHM5B\n" \
    "2TKrhN/bO+CVZWNFtiaVh+jzCSNWixvFohchZ7kZoQAkof9ON+L8rVE17bYmpt9I\n" \
    "E3LrCGkYd/AhmN2QJVgEkfx2vPaXiGjGKnmvUVQqjveSxlzdMHv9yxZZfQgZIwL/\n" \
    "UN/PphdbnwKBgEXt7z5pM+M0/SIWGFuAdn+Ap8/qyoW6ysRPnFrECP1m6UFuEyq6\n" \
    "E2RfdqjSJT1YL0+iNKO2qsvsoUDky+kib3wI5r1p2/Tev9zJoep1uibFIQZFD1Sk\n" \
    "0er+RfoXa0WeKW8V0a4yZ3RWpPnvSZgVzrI2x/plfJudYDYmfbbIXu/HAoGAfMZ7\n" \
    "sLS0PpRT1a2ug4gcstcODo/cfXFo2486jpVjFYIdkQjMXJXuQIIKyYb+eZT32Tyz\n" \
    "cLbQb6VD0AFPicIaX+NAeP88+6R4pPIlx4KaL77QPKc75rqyBIUvV8WE5pDx7R9C\n" \
    "GMmSq04RmZyDlMWdnYOJ+OJhaIZC+yfGY8Lfh4UCgYAG/KAXhLS+zEmz+/HaU8Rf\n" \
    "oQy/u6M35UKsvSNGm0IzJY4E2fmJwmOLozD7UbQW5ePm1CllIeF2j4GtgZauT9H/\n" \
    "pswL9QXEcBZj8x3xqiQ/RHX3iLolqZN+7h60Buxa+shRQFjgepYgazQ/Jx90VC4A\n" \
    "zZmcnoP6QyEAl7z8Bq56Eg==\n"                                         \
    "-----END PRIVATE KEY-----\n"

/* The same key as PKCS#1. */
#define RSA_KEY_PKCS1                                                    \
    "-----BEGIN RSA PRIVATE KEY-----\n"                                  \
    "MIIEogIBAAKCAQEAs/BEyIwmYamT/ObLFATi1s1Bv12lKgwZQVEdPjvIIoGfoqjj\n" \
    "kNpbsy73NC/67hgj9cgSj7dg9t+gKhpDOjEbvVzyhWnswfitD9/sauZMmejMz0G8\n" \
    "tRSg7xc1+v18hZULOQz5xyZYL+evu0A0SlxZ8xyxgjS5nfHYQSM0OJeRLlB+Ov4R\n" \
    "GQAKyAGizGfpcGvLQC1iUcHOtI+LjCJOS8P+1pFGqcfvx1TmFujkZ6BMbCZn8Zr1\n" \
    "p94FzRTnDpnbfN6Wz22r6YJK3EYotwVKKNewmTYz6D6dSzo86Jo761B0jagJG0tz\n" \
    "wC1YUc0Psq2JeHiuFHBnVALONTDH/txqRbeBNQIDAQABAoIBAANfISrQ1XdHAire\n" \
    "+Dcr0EROHElFq+6Zw29h4bZk0F81JpSZrYntTYKSArfLnlwPv7y/PvnKadq2Xf3r\n" \
    "+A6DFQ37S+AMGA+aZUPC4l8uaYkIv62ygaKy/ED+olhNn6OxI0CyaYu9wDFFmhlc\n" \
    "Hp62FEll5D2YV1IKUg8GZdgZnvLLLz8s13i8NtLPrldLmVXqsjCmhOf5CMjSGXMq\n" \
    "3hnf6ALHNjk7Cb6hSM4t4Agvqt7PMu0X7efstcGaLKllOh5KeayYd9jbnA3oUT4/\n" \
    "dWFuCR1s5dji2hdqU5KE2dqMXvxBYUlmaoq7uapDEw+JtQeMObGou/VhcKAVR+EX\n" \
    "c33jRBECgYEA6oG5jm9LtNJGVMt9mqXxMoNTJh0jfi1AZclickHi6YHWAg+YlAng\n" \
    "4cPPHff76AVM+3lyhrsDN5KpjSVUm4u9EZI848dgYZljuBP/r9PWTFwPL/UsuvSZ\n" \
    "DMzwPw1dtogW6fhi37YWzXN2Jn0/4I3FZNhFtCyTuOxBzgWu7pDf8qsCgYEAxG4z\n" \
    "R/Z8jt3ca2cT3rxL4JZYqOyAIxzOQdkyq4Tf2zvglWVjRbYmlYfo8wkjVosbxaIX\n" \
    "IWe5GaEAJKH/Tjfi/K1RNe22JqbfSBNy6whpGHfwIZjdkCVYBJH8drz2l4hoxip5\n" \
    "r1FUKo73ksZc3TB7/csWWX0IGSMC/1Dfz6YXW58CgYBF7e8+aTPjNP0iFhhbgHZ/\n" \
    "gKfP6sqFusrET5xaxAj9ZulBbhMquhNkX3ao0iU9WC9PojSjtqrL7KFA5MvpIm98\n" \
    "COa9adv03r/cyaHqdbomxSEGRQ9UpNHq/kX6F2tFnilvFdGuMmd0VqT570mYFc6y\n" \
    "Nsf6ZXybnWA2Jn22yF7vxwKBgHzGe7C0tD6UU9WtroOIHLLXDg6P3H1xaNuPOo6V\n" \
    "YxWCHZEIzFyV7kCCCsmG/nmU99k8s3C20G+lQ9ABT4nCGl/jQHj/PPukeKTyJceC\n" \
    "mi++0DynO+a6sgSFL1fFhOaQ8e0fQhjJkqtOEZmcg5TFnZ2DifjiYWiGQvsnxmPC\n" \
    "34eFAoGABvygF4S0vsxJs/vx2lPEX6EMv7ujN+VCrL0jRptCMyWOBNn5icJji6Mw\n" \
    "+1G0FuXj5tQpZSHhdo+BrYGWrk/R/6bMC/UFxHAWY/Md8aokP0R194i6JamTfu4e\n" \
    "tAbsWvrIUUBY4HqWIGs0PycfdFQuAM2ZnJ6D+kMhAJe8/AauehI=\n"             \
    "-----END RSA PRIVATE KEY-----\n"

#define RSA_KEY_SIGNED "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UifQ"
/* openssl dgst -sha256 -sign, of that text. */
#define RSA_KEY_SIGNATURE                                                                                                              \
    "1dd9b0672b11284d143211ddbd4237c67507003ec56b6f77cdf2a58c2cf90bbc4866ea4cbf813d0a2525d668ef073ac76b462f36bd14dc4ebf2cad657f9f1129" \
    "9a982b1ba7777a1258f60132b273901478a69fd2944fc439a8a60304ca3c405594bb7472be7ed93fdc87be32507382435bf14961a712e09ad11ae8ebea3bb211" \
    "811fb8718ff1a3f5cb32ab6f9ed1041a3a49b85643643be87842e19e3343ecae09ac218d7ad8ed329b2fbb82c118cf4b1e11d041de8d4db5629e17fba54192e6" \
    "5b127ffa8e7b278062ea8cb31c4335fd93d6af8719fcbfe565a9d8129c70ffa59a235e1b19c878cc368f073a99041f1cd16a8274eb7aa0e6bffb805aa386fbda"

/* An elliptic key (P-256), and the first one under a password. */
#define EC_KEY                                                           \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg/oKAsgGFzbq5XSBT\n" \
    "MITEXHK2LWMsebYkR6CnX+nnhtChRANCAATRBzK65t+KcwqSG0WSyIb/3awlWp6N\n" \
    "33AAJwKAi4TFYswTgwoolBKUzjwBlqh7AlYXcE1GMPzMu95xOfhdyj8x\n"         \
    "-----END PRIVATE KEY-----\n"

#define RSA_KEY_LOCKED                                                   \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                            \
    "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIqoUTCznFb4cCAggA\n" \
    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAECBBAolqPN+LcjK1hkwgnDh6WyBIIE\n" \
    "0H7rp9y5U7LYEIgyivtmF8Rb7aCWOVHODTSlO0jHOYVh8VSN+F8lZyUCiPytGW77\n" \
    "9jgA93i6vPRod8u7ve0BCDVW9a+GAfJHIOx/Tdo5OtE6lWr2JcWmJd12jrJPJ9i0\n" \
    "+6Z0fTJrBshZfur0he1eicM5grTARNNHKtN54x4UOp244ZHZK+2UCda9lccDQpCZ\n" \
    "y2ndqK/92Sr8IGL1q0f0eLbcma2SYkaKJ7hGWUBjcisTvo9GmYG5Ea6dEJQvV0KX\n" \
    "nC47iDezZIDDJX1QYDbEXv3/PnyLcCgT3LcyuUvGsYaHwJfEyd9HfRpgc6DkajdB\n" \
    "OuPLNxssx++dQIShcyuGXRaP8d3b692+1m6eeLtb0jltuxfvfTJ7+/aWeCTZgTJM\n" \
    "GhfXGYqQ/831lSNwdfVELd0NDg/adsE8WeOJ883ZSo+o+ScCpFQOFnXTR3hKKKYI\n" \
    "5UEesv+IEoztzpub5+DNcaG9JbgjM/T5duMcXowAEwxr484jKrP8GKZxdft3HruE\n" \
    "51KbXjtUrX+ZzE87BmBmWstXkdacAz4OI9Eo8ERjcOJ0Mwlb29lp0YHa2PxKAx6r\n" \
    "yKYnDiG+98MwTiaIa02wqSS1Oy8L9uJXvtse2R/FdQa+bosByN7iTfUkRvcUpb04\n" \
    "aXjPrZ+xPW3bQP8vGQfLzpR1raJo3bm6vfgoZr50l9LsTYz95D/mlncuFPALLDwJ\n" \
    "o1ZryElYV941rNkMi0XM+iueHIp3MLEK232KMItf/IzIlnxa4wlkRjlNOTMypAEy\n" \
    "Zod6nj5XAn61krPS+NcPehM3iH7TGVrtgvY1nFzS8L7kF6/Kt7ej/KDp7CyAUR6k\n" \
    "1/61JY1z8FDsiDUHASYNUxrAjagd8wE5WTZXBFRo0Odji23sTfI8tVRHHkbGmuvN\n" \
    "gq8l6qeP3w6ELLv0F8CuHQ8zZDGgAlXTRjb8/YKSPdo2xAlE4LSUkO3RJ+zchmZQ\n" \
    "J9WvrcrckSnDF1KxTaE6AqXaKiWVlsrcO9O4xT+LqB0ASy1w2wyJKhnAPzRUFPIZ\n" \
    "M8qAYQphCXfYbMufOmhnwhy3SsIjHjWbBG8aiFJIY9Zu7zuvsZX7/BSGD/bejdfi\n" \
    "LIhbI3OryW7CtWn1iTgfnVUTHBwN7NgfkRqzm42uWS80EbAAwMid+2Rgr5Isq2bn\n" \
    "baTt2Q6n1mcpvzvc4VPHk/nu4l5iixGtlf8++QPeDK10/i3uhfTSjw6EHL+N1Czc\n" \
    "5CB7DWS9DpgLUQWT3WkJcwWP4XZV9gW9dvw8h53S4eOeA/tEDjs6JWuNUwqXpyXz\n" \
    "GaLZrHc+DUEergtNIArxMHjsaGZEBipqTqeHScLRB729n5L8DbYWGlAuUHmWa5X3\n" \
    "xAD6H7QPD6wuXDU2k57coCmQZ55pjPgpXMXA2YRXFOef6pBOOcAobf3q2jzTBQIg\n" \
    "E0ScxK9MRjp/UCBEY4Uc0pBSZ/nvI2n1OfzpOCPEcS8cp2LmY9Ksbh4lWSa3g6JK\n" \
    "7ym8+I5gWENPbLa5ezeLRWw9SALqhRTMa5z1EuESn2BCXLdpNLpyqWTosBpixQ4E\n" \
    "NsCNbqTyc7rXGyyyf2ZA9yrawjZw6YtryX4wGUEVEmFftRJFM2DFHvUTwWHK8z+Z\n" \
    "qzIPfO1TCg4PPIUQzE8lw014FeCBfxTOE5wepbCBJMKM\n"                     \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

#endif
